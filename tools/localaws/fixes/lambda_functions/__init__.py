"""Lambda: how a function fails, and what its log holds."""
