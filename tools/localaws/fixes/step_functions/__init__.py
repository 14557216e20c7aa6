"""Step Functions: starting, timing out, retrying, waiting for a callback."""
