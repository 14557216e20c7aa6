"""Buying a long job, once."""
