"""Waiting for what becomes of a request: a function of its own, so that nobody else waits for it."""
