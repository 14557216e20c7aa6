"""Wiring of the functions that tell others' systems what happened, and know no provider's keys."""
