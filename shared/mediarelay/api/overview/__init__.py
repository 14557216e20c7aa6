"""What the console shows first, as one document; imported when it is first asked for."""
