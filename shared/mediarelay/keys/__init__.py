"""Keys of vendors: their states, their pools and where they come from."""
