import json

import pytest
import requests

from tools.localaws.environment import REGION

pytestmark = pytest.mark.stack

ANSWER = """
def handler(event, context):
    if event["requestContext"]["http"]["method"] == "DELETE":
        return {"statusCode": 204, "body": None}
    return {"statusCode": 200, "body": event["requestContext"].get("authorizer", {}).get("lambda", {}).get("who", "-")}
"""
AUTHORIZER = """
class Refused(Exception):
    pass

def handler(event, context):
    token = event["headers"].get("authorization")
    if token == "good":
        return {"isAuthorized": True, "context": {"who": "ann"}}
    if token == "denied":
        return {"isAuthorized": False}
    raise Refused("Unauthorized" if token == "bad" else "the table is away")
"""


def document(answer, authorizer):
    def uri(function):
        arn = f"arn:aws:lambda:{REGION}:000000000000:function:{function.name}"
        return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"

    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri(answer), "payloadFormatVersion": "2.0"}
    return {
        "openapi": "3.0.1",
        "paths": {
            "/": {"get": {"x-amazon-apigateway-integration": integration}},
            "/api/{proxy+}": {
                "x-amazon-apigateway-any-method": {
                    "x-amazon-apigateway-integration": integration,
                    "security": [{"Token": []}],
                }
            },
        },
        "components": {
            "securitySchemes": {
                "Token": {
                    "type": "apiKey",
                    "x-amazon-apigateway-authorizer": {
                        "type": "request",
                        "authorizerUri": uri(authorizer),
                        "authorizerPayloadFormatVersion": "2.0",
                        "enableSimpleResponses": True,
                        "identitySource": "$request.header.Authorization",
                        "authorizerResultTtlInSeconds": 0,
                    },
                }
            }
        },
    }


@pytest.fixture
def ask(local):
    answer, authorizer = local.function(ANSWER, suffix="answer"), local.function(AUTHORIZER, suffix="authorizer")
    resources = {
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Body": document(answer, authorizer), "ProtocolType": "HTTP", "Name": "x"},
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        },
    }
    template = {"Resources": resources, "Outputs": {"Id": {"Value": {"Ref": "Api"}}}}
    cloudformation = local.client("cloudformation")
    cloudformation.create_stack(StackName=local.name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=local.name, WaiterConfig={"Delay": 1})
    api_id = cloudformation.describe_stacks(StackName=local.name)["Stacks"][0]["Outputs"][0]["OutputValue"]
    endpoint = local.client("lambda").meta.endpoint_url

    def call(path, token=None, method="GET"):
        headers = {"authorization": token} if token else {}
        url = f"{endpoint}/_aws/execute-api/{api_id}/$default{path}"
        answer = requests.request(method, url, headers=headers, timeout=60)
        return answer.status_code, answer.text if answer.ok else ""

    return call


def test_routes_come_from_the_openapi_document(local, ask):
    assert ask("/") == ((200, "-") if local.fixed else (404, ""))


def test_an_authorizer_lets_pass_denies_and_refuses(local, ask):
    answers = [ask("/api/x", token)[0] for token in ("good", None, "bad", "denied", "broken")]
    assert answers == ([200, 401, 401, 403, 500] if local.fixed else [404] * 5)


def test_a_null_body_is_an_empty_one(local, ask):
    assert ask("/api/x", "good", "DELETE") == ((204, "") if local.fixed else (404, ""))
