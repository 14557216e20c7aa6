"""CloudWatch: metrics out of logs and queues, and alarms over them."""
