"""A vendor calls back: the job wakes."""
