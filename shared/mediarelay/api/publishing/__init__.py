"""Publishing, looking up and cancelling requests over HTTP; imported when that is first asked for."""
