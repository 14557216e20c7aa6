"""What a thousand requests cost in AWS calls, DynamoDB units and dollars."""
