"""Sound in any format, as streams."""
