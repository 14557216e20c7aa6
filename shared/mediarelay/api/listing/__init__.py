"""The newest jobs, by the index of the Jobs table; imported when that is first asked for."""
