"""Health records of providers."""
