"""DynamoDB's streams: what is written to them, and how Lambda reads them."""
