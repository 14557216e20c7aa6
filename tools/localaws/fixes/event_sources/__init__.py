"""Event source mappings: filters, settings, batches of queue messages."""
