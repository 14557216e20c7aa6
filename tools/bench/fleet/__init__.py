"""The shipped services under shared limits, as a grid of scenarios in virtual time."""
