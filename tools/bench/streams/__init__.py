"""Benches of the functions that read streams."""
