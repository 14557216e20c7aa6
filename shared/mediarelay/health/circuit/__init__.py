"""When a provider is not called, and how it comes back."""
