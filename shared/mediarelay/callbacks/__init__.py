"""Telling a publisher's own server how a job ended, by Standard Webhooks."""
