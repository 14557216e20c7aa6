"""What was used: settled jobs and their cost by day, tenant, provider and model."""
