"""Media on its way into the bucket."""
