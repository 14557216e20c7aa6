"""The local AWS: MiniStack with our fixes, the stack deployed to it by the real SAM CLI, and the provider simulator."""
