import json
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.sam_local.engine import missing_engine
from tests.sam_local.invocation import SamLocal, build_for_container
from tests.sam_local.relay import LOOPBACK, reachable
from tools.local.plan import SECRET_NAME, provider_parameters
from tools.local.simulator import simulator_keys
from tools.local.stack import LocalStack
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
def sam_local(simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamLocal]:
    parameters = provider_parameters(simulator.urls)
    with LocalStack.start(tmp_path_factory.mktemp("stack"), parameters=parameters, secret=simulator_keys()) as stack:
        build = build_for_container(tmp_path_factory.mktemp("build"))
        with reachable(port_of(url) for url in [stack.endpoint, *simulator.urls.values()]) as host:
            urls = {name: url.replace(LOOPBACK, host) for name, url in simulator.urls.items()}
            variables = {**urls, "KEYS_SECRET_ID": SECRET_NAME, "STAGE": "local"}
            yield SamLocal(build, stack, stack.endpoint.replace(LOOPBACK, host), variables)


def port_of(url: str) -> int:
    return urlsplit(url).port or 80


@pytest.fixture
def results_queue(sam_local: SamLocal) -> Iterator[str]:
    """The URL of a queue that receives what is published on MediaResults."""
    sqs, sns = sam_local.stack.client("sqs"), sam_local.stack.client("sns")
    topic = sam_local.stack.outputs["MediaResultsTopicArn"]
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
