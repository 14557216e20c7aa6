"""AWS as the services meet it: the queue, functions and their threads, stores behind a network."""
