"""The HTTP API: routes, the dashboard page, and the check of tokens."""
