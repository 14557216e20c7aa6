"""Recorded metrics judged again under other thresholds, and recorded routing decisions made again."""
