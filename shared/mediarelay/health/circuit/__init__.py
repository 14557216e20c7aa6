"""When a provider is not called, and how it is tried again."""
