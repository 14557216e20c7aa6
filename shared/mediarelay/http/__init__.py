"""HTTP: requests and answers as values, and the client that carries them."""
