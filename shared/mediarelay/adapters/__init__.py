"""The modules that touch the world: DynamoDB, S3, SNS, SQS, Secrets Manager, HTTP."""
