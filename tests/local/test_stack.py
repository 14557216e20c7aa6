import json
from pathlib import Path

import pytest

from tests.local.waiting import until
from tools.local.deploy import DeployError
from tools.local.plan import SECRET_NAME, StackPlan
from tools.local.stack import LocalStack

pytestmark = pytest.mark.stack

TEMPLATE = Path(__file__).parent / "fixtures" / "echo" / "template.yaml"
GREETING = 'hello "there", you'
KEYS = {"OPENAI_API_KEYS": "fake-key-1,fake-key-2"}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("echo")


@pytest.fixture(scope="module")
def steps() -> list[str]:
    return []


@pytest.fixture(scope="module")
def stack(workdir, steps):
    plan = StackPlan(template=TEMPLATE, stack_name="echo", parameters={"Greeting": "from the plan"})
    with LocalStack.start(
        workdir, parameters={"Greeting": GREETING}, secret=KEYS, plan=plan, progress=steps.append
    ) as stack:
        yield stack


def test_the_outputs_name_what_was_deployed(stack):
    assert set(stack.outputs) == {"EchoQueueUrl", "EchoFunctionName"}
    stack.client("sqs").send_message(QueueUrl=stack.outputs["EchoQueueUrl"], MessageBody="x")


def test_parameters_and_the_secrets_name_reach_the_function(stack):
    answer = stack.client("lambda").invoke(FunctionName=stack.outputs["EchoFunctionName"], Payload="{}")
    assert json.loads(answer["Payload"].read()) == {"greeting": GREETING, "secret": SECRET_NAME}


def test_the_secret_holds_the_keys(stack):
    stored = stack.client("secretsmanager").get_secret_value(SecretId=SECRET_NAME)
    assert json.loads(stored["SecretString"]) == KEYS


def test_each_step_is_told(stack, steps):
    assert [step.split(" (")[0] for step in steps[:3]] == [
        "starting MiniStack",
        "building the functions and their layer",
        "deploying echo",
    ]
    assert stack.ministack.log.exists()


def test_a_failed_deployment_says_which_resource_and_why(stack, steps):
    with pytest.raises(DeployError, match=r"^BrokenQueue \(AWS::SQS::Queue\): .*maxReceiveCount"):
        stack.deploy({"Greeting": "hello", "Break": "yes"}, KEYS, steps.append)


def test_a_secret_that_exists_gets_a_new_version(stack, steps):
    stack.deploy({"Greeting": "again"}, {"FAL_KEYS": "fake-key-3"}, steps.append)
    stored = stack.client("secretsmanager").get_secret_value(SecretId=SECRET_NAME)
    assert json.loads(stored["SecretString"]) == {"FAL_KEYS": "fake-key-3"}


def test_stopping_ends_busy_functions_and_removes_their_files(stack, workdir):
    name = stack.outputs["EchoFunctionName"]
    stack.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload='{"sleep": 60}')
    until(lambda: list((workdir / "ministack-tmp").glob("ministack-lambda-*")))
    stack.stop()
    assert not stack.ministack.process.identity.group_remains()
    assert not stack.ministack.healthy()
    assert not (workdir / "ministack-tmp").exists()
    # Twice is fine.
    stack.stop()
