"""Six hours of every provider in spans of five minutes: one item, which the minute sweep writes and one read shows."""
