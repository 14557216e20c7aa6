"""What is in the dead-letter queue of requests, and its redrive by class of failure; imported when first asked for."""
