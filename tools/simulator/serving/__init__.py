"""From a connection to a reply: the server, the admin endpoints and the gateway to the vendors."""
