"""Publishing results on their topic."""
