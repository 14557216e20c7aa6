"""Starts MiniStack with what it gets wrong about AWS put right in process.

Runs inside MiniStack's own virtual environment: standard library and `ministack` only.
"""
