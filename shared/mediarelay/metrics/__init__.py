"""Every attempt counted, once."""
