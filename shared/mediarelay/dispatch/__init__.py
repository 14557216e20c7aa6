"""Messages of the request queue."""
