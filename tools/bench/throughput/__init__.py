"""Messages per second through the deployed queue and function, beside a function that does nothing."""
