"""Jobs that take minutes: video and audio."""
