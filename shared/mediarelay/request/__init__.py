"""A media request: what a publisher may ask for, and reading it from a message."""
