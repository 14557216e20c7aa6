"""Telling of a job's end once more; imported when that is first asked for."""
