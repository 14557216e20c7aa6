"""The Jobs table: what is written of a job, and on which condition."""
