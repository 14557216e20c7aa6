"""Programs that drive a peer; each runs in a Python of its own, in which that peer is installed."""
