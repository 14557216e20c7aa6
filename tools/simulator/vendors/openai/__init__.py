"""OpenAI as of November 2026."""
