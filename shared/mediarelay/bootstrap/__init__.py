"""Wiring, one module per function; nothing else makes adapters."""
