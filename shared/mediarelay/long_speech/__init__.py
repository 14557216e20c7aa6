"""Speech of texts that no model takes at once: split, bought part by part, joined into one file."""
