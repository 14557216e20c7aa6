"""The HTTP API: routes, the console, and the check of tokens."""
