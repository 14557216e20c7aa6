"""Permits that all workers share."""
