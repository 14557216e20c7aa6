"""The sans-IO heart: standard library only; time and dice are arguments, decisions come back as values."""
