import json
import os
from collections.abc import Iterator

import pytest

from tests.sam_local.engine import missing_engine
from tools.local.plan import provider_parameters
from tools.local.simulator import simulator_keys
from tools.local.stack import LocalStack
from tools.sam_local.invocation import build
from tools.simulator.process import SimulatorProcess


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    reason = missing_engine()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI must run sam local invoke, but {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess() as running:
        yield running


@pytest.fixture(scope="session")
def stack(simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Deployed, with the functions built for containers beside it."""
    parameters = provider_parameters(simulator.urls)
    with LocalStack.start(tmp_path_factory.mktemp("stack"), parameters=parameters, secret=simulator_keys()) as running:
        build()
        yield running


@pytest.fixture
def results_queue(stack: LocalStack) -> Iterator[str]:
    """The URL of a queue that receives what is published on MediaResults."""
    sqs, sns = stack.client("sqs"), stack.client("sns")
    topic = stack.outputs["MediaResultsTopicArn"]
    url = sqs.create_queue(QueueName="sam-local-results")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
        ReturnSubscriptionArn=True,
    )
    yield url
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=url)
