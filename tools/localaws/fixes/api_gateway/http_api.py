"""An HTTP API that is defined by an OpenAPI document has its routes.

AWS: the Body of an AWS::ApiGatewayV2::Api, which is what AWS::Serverless::HttpApi becomes, makes routes, integrations
and authorizers.
Stock: ignores it; such an API deploys with no routes at all.
Matters: the template's HttpApi.
"""

from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function, replace_handler
from tools.localaws.fixes.api_gateway.open_api import load_document
from tools.localaws.upstream import apigateway, provisioners

RESOURCE = "AWS::ApiGatewayV2::Api"


def apply() -> None:
    """Load the document after the API was made, and again when it changes."""
    expect_attributes(apigateway, "_apis", "_routes", "_integrations", "_authorizers")
    for name, parameters in (
        ("_create_authorizer", ("api_id", "data")),
        ("_create_integration", ("api_id", "data")),
        ("_create_route", ("api_id", "data")),
    ):
        expect_function(apigateway, name, *parameters)
    create = expect_function(provisioners, "_apigw_v2_api_create", "logical_id", "props", "stack_name")
    update = expect_function(
        provisioners, "_apigw_v2_api_update", "physical_id", "old_props", "new_props", "stack_name", "logical_id"
    )

    def create_with_routes(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        made = create(logical_id, props, stack_name)
        load_document(made[0], props.get("Body") or {})
        return made

    def update_with_routes(
        physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], stack_name: str, logical_id: Any = None
    ) -> Any:
        made = update(physical_id, old_props, new_props, stack_name, logical_id)
        if new_props.get("Body") != old_props.get("Body"):
            for kind in (apigateway._routes, apigateway._integrations, apigateway._authorizers):
                kind[made[0]] = {}
            load_document(made[0], new_props.get("Body") or {})
        return made

    replace_handler(provisioners, RESOURCE, "create", create, create_with_routes)
    replace_handler(provisioners, RESOURCE, "update", update, update_with_routes)
