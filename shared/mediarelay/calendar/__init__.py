"""What can be served on a day that is still to come."""
