"""A fleet of workers in virtual time: the shipped core, SQS, DynamoDB and the vendors' buckets as events."""
