"""IAM: which action a call needs, and what a policy's conditions see."""
