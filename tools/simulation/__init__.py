"""Runs a scenario with the shipped services in virtual time: `python -m tools.simulation SCENARIO.json`."""
