"""An outage on a running stack, as publishers, operators and the provider see it: for the demo, a bench and tests."""
