"""fal.ai: pictures, sounds and clips."""
