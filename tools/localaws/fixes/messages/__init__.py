"""SQS, SNS and S3: what a request may ask for, and what the reply to one says."""
