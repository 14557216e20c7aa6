"""What a request costs beyond the call itself: our route, key, call and classification beside LiteLLM's Router."""
