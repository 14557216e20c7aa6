"""Benchmarks: each measures us beside a reference in the same run, and writes one JSON object."""
