"""What was bought once, delivered again: results of identical requests, for requests that ask for it."""
