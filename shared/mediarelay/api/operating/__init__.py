"""Health, keys, usage, incidents, budgets, overrides and the audit over HTTP; imported when one is first asked for."""
