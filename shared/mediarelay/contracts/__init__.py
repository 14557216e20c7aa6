"""pydantic models of everything that crosses a boundary. JSON Schemas are exported to docs/schemas."""
