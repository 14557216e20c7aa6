"""Gemini's speech."""
