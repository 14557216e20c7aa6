"""Incidents, told to operators."""
