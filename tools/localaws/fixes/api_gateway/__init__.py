"""HTTP APIs: routes out of an OpenAPI document, authorizers, answers."""
