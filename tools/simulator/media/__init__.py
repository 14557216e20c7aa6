"""Real media bytes made with the standard library only, one module per format family."""
