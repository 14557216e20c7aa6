"""The local stack: deployed to the local AWS by the real SAM CLI, beside the provider simulator; what runs on it."""
