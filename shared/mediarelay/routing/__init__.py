"""Which provider is asked first."""
