"""One pure module per vendor: build the request, parse the answer, classify, price. No HTTP inside."""
