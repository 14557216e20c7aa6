"""Sound in any format: which one to ask a vendor for, and what becomes of it on its way into the bucket."""
