"""Answers that vendors really gave, run through the parsers that are shipped."""
