"""Results on their topic."""
