"""When to ask a vendor how a job is coming along."""
