"""Events for others' systems: CloudEvents on a bus, messages for a chat, and PagerDuty."""
