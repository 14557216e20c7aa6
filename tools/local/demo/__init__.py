"""The main job, run before your eyes: publish events/requests, watch them settle, see what came of each."""
