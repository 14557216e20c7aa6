"""Vendor options: the lists of those that are allowed, imported only for requests that have some."""
