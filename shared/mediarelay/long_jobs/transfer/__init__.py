"""A finished file, from the vendor's host into the bucket."""
