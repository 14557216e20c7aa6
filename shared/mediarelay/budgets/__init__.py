"""Budgets: what tenants and the stage may spend in a day and in a month, and what is set aside of it for each job."""
