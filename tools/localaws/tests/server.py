"""What the conformance tests need of a running MiniStack: clients, tiny functions that log to a file, waiting."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from tools.localaws.environment import REGION
from tools.localaws.ministack_process import MiniStackProcess

MAX_WAIT_SECONDS = 60.0
POLL_SECONDS = 0.02
ROLE = "arn:aws:iam::000000000000:role/tests"
EXPIRING_TABLE = "expiring"

# A handler says what happened with `note(...)`; `hold(name)` waits until the test lets it go.
PRELUDE = """
import json, os, time

FOLDER = os.environ["FOLDER"]

def note(**facts):
    line = json.dumps({"at": time.time(), **facts}) + "\\n"
    with open(os.path.join(FOLDER, "log"), "a") as log:
        log.write(line)

def hold(name="go"):
    while not os.path.exists(os.path.join(FOLDER, name)):
        time.sleep(0.01)

"""


def until(condition: Callable[[], Any], max_wait: float = MAX_WAIT_SECONDS) -> Any:
    """Poll until the condition gives something true, and return it; fail when patience runs out."""
    deadline = time.monotonic() + max_wait
    while not (found := condition()):
        assert time.monotonic() < deadline, f"nothing came of it in {max_wait} s"
        time.sleep(POLL_SECONDS)
    return found


def never(condition: Callable[[], Any], watch: float) -> bool:
    """Watch for a while and tell that the condition never held."""
    deadline = time.monotonic() + watch
    while time.monotonic() < deadline:
        if condition():
            return False
        time.sleep(POLL_SECONDS)
    return True


@dataclass
class Server:
    kind: str
    folder: Path
    clients: dict[str, Any]


def start_server(kind: str, process: MiniStackProcess, folder: Path) -> Server:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    config = Config(retries={"total_max_attempts": 1}, read_timeout=100)
    services = (
        "cloudformation",
        "cloudwatch",
        "dynamodb",
        "dynamodbstreams",
        "iam",
        "lambda",
        "logs",
        "s3",
        "sns",
        "sqs",
        "stepfunctions",
        "sts",
    )
    clients = {name: session.client(name, endpoint_url=process.endpoint, config=config) for name in services}
    clients["iam"].create_role(RoleName="tests", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))
    return Server(kind, folder, clients)


def zipped(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", code)
    return buffer.getvalue()


def policy_for(topic: str) -> str:
    """Returns a queue's policy that lets a topic publish to it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def create_table(client: Any, name: str) -> str:
    """Create a table with a stream and return the stream's ARN."""
    table = client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return str(table["TableDescription"]["LatestStreamArn"])


def seed_expiring_item(server: Server) -> None:
    client = server.clients["dynamodb"]
    create_table(client, EXPIRING_TABLE)
    ttl = {"Enabled": True, "AttributeName": "expires"}
    client.update_time_to_live(TableName=EXPIRING_TABLE, TimeToLiveSpecification=ttl)
    client.put_item(TableName=EXPIRING_TABLE, Item={"pk": {"S": "old"}, "expires": {"N": str(int(time.time()) - 1)}})


@dataclass
class Function:
    """A Lambda function in place, with what it noted."""

    name: str
    folder: Path
    client: Any

    def notes(self) -> list[dict[str, Any]]:
        log = self.folder / "log"
        # A line is read only once it is whole.
        lines = log.read_text().split("\n")[:-1] if log.exists() else []
        return [json.loads(line) for line in lines]

    def noted(self, key: str) -> list[Any]:
        return [note[key] for note in self.notes() if key in note]

    def release(self, name: str = "go") -> None:
        (self.folder / name).touch()

    def invoke(self, event: Any = None) -> Any:
        answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event or {}))
        return json.loads(answer["Payload"].read())


@dataclass
class Local:
    """One test's corner of a server: names of its own, and no mapping left behind."""

    server: Server
    name: str
    mappings: list[str] = field(default_factory=list)

    @property
    def fixed(self) -> bool:
        return self.server.kind == "fixed"

    def client(self, service: str) -> Any:
        return self.server.clients[service]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for mapping in self.mappings:
            self.client("lambda").delete_event_source_mapping(UUID=mapping)
        for folder in self.server.folder.glob(f"{self.name}-*"):
            (folder / "go").touch()

    def function(self, handler: str, *, suffix: str = "fn", timeout: int = 20) -> Function:
        name = f"{self.name}-{suffix}"
        folder = self.server.folder / name
        folder.mkdir()
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="app.handler",
            Role=ROLE,
            Timeout=timeout,
            Code={"ZipFile": zipped(PRELUDE + handler)},
            Environment={"Variables": {"FOLDER": str(folder)}},
        )
        return Function(name, folder, self.client("lambda"))

    def queue(self, suffix: str = "queue", **attributes: str) -> tuple[str, str]:
        """Create a queue; its URL and its ARN."""
        name = f"{self.name}-{suffix}"
        url = self.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:000000000000:{name}"

    def table(self, suffix: str = "table") -> tuple[str, str]:
        """Create a table; its name and its stream's ARN."""
        name = f"{self.name}-{suffix}"
        return name, create_table(self.client("dynamodb"), name)

    def map(self, function: Function, source: str, **settings: Any) -> str:
        """Connect a source to a function; the mapping's id."""
        start = {"StartingPosition": "TRIM_HORIZON"} if ":dynamodb:" in source else {}
        mapping = self.client("lambda").create_event_source_mapping(
            FunctionName=function.name, EventSourceArn=source, **start, **settings
        )
        self.mappings.append(mapping["UUID"])
        return str(mapping["UUID"])

    def send(self, url: str, *bodies: str) -> None:
        for body in bodies:
            self.client("sqs").send_message(QueueUrl=url, MessageBody=body)

    def received(self, url: str) -> list[dict[str, Any]]:
        """Take what is visible in a queue and delete it."""
        sqs = self.client("sqs")
        messages = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
        ).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return list(messages)

    def put(self, table: str, *keys: str) -> None:
        for key in keys:
            self.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": key}, "n": {"N": "7"}})
