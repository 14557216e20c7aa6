"""Its capabilities."""
