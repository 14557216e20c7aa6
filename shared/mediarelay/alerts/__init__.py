"""Alerts: incidents, reported to operators."""
