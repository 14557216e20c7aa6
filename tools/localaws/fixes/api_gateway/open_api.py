"""The part of API Gateway's OpenAPI extensions that SAM writes: integrations, and authorizers of type request."""

import json
from typing import Any

from tools.localaws.upstream import apigateway

ANY_METHOD = "x-amazon-apigateway-any-method"
DEFAULT_PATH = "/$default"


def load_document(api_id: str, document: dict[str, Any]) -> None:
    """Make the document's authorizers, integrations and routes."""
    schemes = (document.get("components") or {}).get("securitySchemes") or {}
    authorizers = {name: _authorizer(api_id, name, scheme) for name, scheme in schemes.items()}
    for path, operations in (document.get("paths") or {}).items():
        for method, operation in operations.items():
            if "x-amazon-apigateway-integration" in operation:
                _route(api_id, path, method, operation, authorizers)


def _authorizer(api_id: str, name: str, scheme: dict[str, Any]) -> str:
    given = scheme["x-amazon-apigateway-authorizer"]
    data = {
        "name": name,
        "authorizerType": "REQUEST",
        "authorizerUri": given["authorizerUri"],
        "authorizerPayloadFormatVersion": str(given.get("authorizerPayloadFormatVersion", "2.0")),
        "enableSimpleResponses": bool(given.get("enableSimpleResponses")),
        "identitySource": _sources(given.get("identitySource", [])),
        "authorizerResultTtlInSeconds": given.get("authorizerResultTtlInSeconds", 0),
    }
    return str(_made(apigateway._create_authorizer(api_id, data))["authorizerId"])


def _sources(given: Any) -> list[str]:
    """Written as a list, or with commas."""
    return [source.strip() for source in (given if isinstance(given, list) else str(given).split(","))]


def _route(api_id: str, path: str, method: str, operation: dict[str, Any], authorizers: dict[str, str]) -> None:
    given = operation["x-amazon-apigateway-integration"]
    integration = {
        "integrationType": str(given.get("type", "aws_proxy")).upper(),
        "integrationUri": given["uri"],
        "payloadFormatVersion": str(given.get("payloadFormatVersion", "2.0")),
    }
    made = _made(apigateway._create_integration(api_id, integration))
    verb = "ANY" if method == ANY_METHOD else method.upper()
    route = {
        "routeKey": "$default" if path == DEFAULT_PATH else f"{verb} {path}",
        "target": f"integrations/{made['integrationId']}",
    }
    for requirement in operation.get("security") or []:
        for name in requirement:
            if name in authorizers:
                route |= {"authorizationType": "CUSTOM", "authorizerId": authorizers[name]}
    apigateway._create_route(api_id, route)


def _made(answer: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(answer[2])
    return made
