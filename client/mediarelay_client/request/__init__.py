"""What the queue takes and what it says of anything else, copied from the product, and how a request is made of it."""
