"""How much of the time that is paid for a worker spends on messages, and what that costs."""
