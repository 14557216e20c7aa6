"""Wiring of the functions that anybody may call by HTTP, each apart from the others."""
