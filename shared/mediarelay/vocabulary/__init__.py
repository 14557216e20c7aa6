"""What every feature speaks of: outcomes, kinds, errors, time and limits."""
