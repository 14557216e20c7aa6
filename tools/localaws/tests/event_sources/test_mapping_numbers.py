import json

import pytest

from tools.localaws.tests.server import never, until

pytestmark = pytest.mark.stack


@pytest.fixture
def mapped(local):
    """A queue and a function, connected by a template whose limit is a parameter."""
    function = local.function("def handler(event, context): note(message=True)\n")
    url, arn = local.queue()
    settings = {
        "EventSourceArn": arn,
        "FunctionName": function.name,
        "BatchSize": 1,
        "ScalingConfig": {"MaximumConcurrency": {"Ref": "Limit"}},
    }
    template = {
        "Parameters": {"Limit": {"Type": "Number"}},
        "Resources": {"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": settings}},
    }
    client = local.client("cloudformation")
    client.create_stack(
        StackName=local.name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Limit", "ParameterValue": "4"}],
    )
    client.get_waiter("stack_create_complete").wait(StackName=local.name, WaiterConfig={"Delay": 1})
    yield function, url
    # Stock's poller stands still for as long as the mapping is there.
    client.delete_stack(StackName=local.name)
    client.get_waiter("stack_delete_complete").wait(StackName=local.name, WaiterConfig={"Delay": 1})


def test_a_limit_from_a_template_parameter_does_not_stop_the_queues(local, mapped):
    function, url = mapped
    local.send(url, "x")
    if local.fixed:
        until(function.notes)
    else:
        assert never(function.notes, 2)
