"""Kling's clips."""
