"""Vendors whose truth is known: their accounts, their limits, their answers."""
