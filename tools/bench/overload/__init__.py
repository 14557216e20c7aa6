"""Overload with real processes: our workers and LiteLLM's routers against one independent server."""
