"""mediarelay: event-driven media fan-out over pools of API keys."""

__version__ = "0.1.0"
