"""A fleet in virtual time: the shipped core and services, simulated providers, days in seconds, the same every time."""
