import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import pytest

from mediarelay.keys.parsing import keys_from
from mediarelay.providers.credentials import ON
from mediarelay.providers.registry import VENDORS
from tools.local.__main__ import main
from tools.local.deploy import DeployError, Deployment, failure_reasons, pack_layers, sam_environment
from tools.local.lifecycle import down, environment_file, exports, link_command, upper_snake, write_exports
from tools.local.plan import StackPlan, local_parameters, provider_parameters
from tools.local.simulator import simulator_keys
from tools.local.stack import LocalStack
from tools.local.state import LocalState
from tools.localaws.background_process import BackgroundProcess, ProcessIdentity
from tools.localaws.environment import CREDENTIALS, server_environment
from tools.localaws.ministack_process import MiniStackProcess


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RequestQueueUrl", "REQUEST_QUEUE_URL"),
        ("MediaResultsTopicArn", "MEDIA_RESULTS_TOPIC_ARN"),
        ("S3Bucket", "S3_BUCKET"),
    ],
)
def test_an_output_is_exported_in_upper_snake_case(name, expected):
    assert upper_snake(name) == expected


def test_the_exports_lead_any_client_to_the_api(tmp_path):
    process = BackgroundProcess(ProcessIdentity(1, "a"))
    outputs = {"ApiUrl": "https://abc.execute-api.us-east-1.amazonaws.com/", "RequestQueueUrl": "q"}
    outputs["OpenaiUrl"] = "https://xyz.lambda-url.us-east-1.on.aws/v1"
    stack = LocalStack(MiniStackProcess(process, 4600, tmp_path), StackPlan(), outputs)
    found = exports(stack, {"FAL_BASE_URL": "f"}, "t")
    assert found["API_URL"] == "http://127.0.0.1:4600/_aws/execute-api/abc/$default/"
    assert found["OPENAI_URL"] == "http://localhost:4600/_aws/lambda-url/xyz/v1", "not the host of links to files"
    assert (found["API_TOKEN"], found["REQUEST_QUEUE_URL"], found["FAL_BASE_URL"]) == ("t", "q", "f")


def test_the_state_with_its_token_is_the_owners_only(tmp_path):
    LocalState(tmp_path, api_token="t").save()
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_exports_survive_a_shell_and_are_the_owners_only(tmp_path):
    value = "it's $HOME; `x`"
    path = tmp_path / "env"
    path.write_text("old")
    path.chmod(0o644)
    write_exports(path, {"AWKWARD": value})
    assert path.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["/bin/sh", "-c", '. "$1"; printf %s "$AWKWARD"', "sh", path], capture_output=True, text=True, check=True
    )
    assert shown.stdout == value


def test_the_server_gets_nothing_of_the_callers_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "fake-key")
    monkeypatch.setenv("AWS_PROFILE", "work")
    environment = server_environment(4600, tmp_path, {"EXTRA": "1"})
    assert "OPENAI_API_KEY" not in environment
    assert "AWS_PROFILE" not in environment
    assert environment["EXTRA"] == "1"
    assert environment["AUTH"] == "true"
    assert environment["GATEWAY_PORT"] == "4600"


def test_the_sam_cli_sees_no_aws_settings_but_ours(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "someone's")
    environment = sam_environment("http://127.0.0.1:1")
    assert "AWS_PROFILE" not in environment
    assert environment.items() >= CREDENTIALS.items()
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert environment["PATH"].split(os.pathsep)[0].endswith("uv/bin")


def test_an_earlier_build_is_deployed_as_it_is(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(Deployment, "_sam", lambda _self, arguments, _failure: ran.append(arguments))
    Deployment(StackPlan(built=tmp_path / "earlier"), "", tmp_path).run({}, None, lambda _step: None)
    ((command, *options),) = ran
    assert command == "deploy"
    assert str(tmp_path / "earlier" / "template.yaml") in options


BUILT_TEMPLATE = """
Resources:
  SharedLayer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: SharedLayer
  One:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: OneFunction
      Policies: [{Version: 2012-10-17}]
"""


def test_a_layer_goes_to_the_stack_with_its_bytecode_and_is_the_same_when_built_again(tmp_path):
    def built(folder):
        package = folder / "SharedLayer" / "python" / "package"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("GREETING = 'hello'\n")
        (package / "template.py").write_text("not {{ python }}\n")
        (folder / "template.yaml").write_text(BUILT_TEMPLATE)
        pack_layers(folder)
        return folder / "SharedLayer.zip"

    archive, again = built(tmp_path / "one"), built(tmp_path / "two")
    resources = json.loads((tmp_path / "one" / "template.yaml").read_text())["Resources"]
    assert resources["SharedLayer"]["Properties"]["ContentUri"] == "SharedLayer.zip"
    assert resources["One"] == {
        "Type": "AWS::Serverless::Function",
        "Properties": {"CodeUri": "OneFunction", "Policies": [{"Version": "2012-10-17"}]},
    }
    with zipfile.ZipFile(archive) as packed, zipfile.ZipFile(again) as repacked:
        assert packed.namelist() == repacked.namelist()
        sources = [name for name in packed.namelist() if name.endswith(".py")]
        assert [packed.read(name) for name in sources] == [repacked.read(name) for name in sources]
        packed.extractall(tmp_path / "unpacked")
    (tmp_path / "unpacked/python/package/__init__.py").write_text("raise ImportError\n")
    command = [sys.executable, "-c", "import package; print(package.GREETING)"]
    environment = {"PYTHONPATH": str(tmp_path / "unpacked/python")}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "hello\n", "it was compiled again"


def test_the_command_is_on_the_path_that_the_environment_sets_and_nothing_else_is(tmp_path):
    folder = link_command(tmp_path)
    assert folder == link_command(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["mediarelay"]
    write_exports(tmp_path / "env", {"A": "b c"}, [folder])
    said = subprocess.run(
        ["/bin/sh", "-c", '. ./env; echo "$PATH|$A"'], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout == f"{folder}:{os.environ['PATH']}|b c\n"
    down(tmp_path, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_down_is_fine_when_nothing_is_up(tmp_path):
    said = []
    down(tmp_path, said.append)
    down(tmp_path, said.append)
    assert said == ["nothing is up"] * 2


def test_down_leaves_processes_alone_that_only_have_the_old_pids(tmp_path):
    other = ProcessIdentity(os.getpid(), "long ago")
    LocalState(tmp_path, port=1, ministack=other, simulator=other).save()
    environment_file(tmp_path).touch()
    down(tmp_path, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_the_state_is_read_as_it_was_written(tmp_path):
    state = LocalState(tmp_path, 4600, ProcessIdentity(1, "a"), None, {"FAL_BASE_URL": "u"}, {"QueueUrl": "q"})
    state.save()
    assert LocalState.load(tmp_path) == state
    assert json.loads((tmp_path / "state.json").read_text())["ministack"] == {"pid": 1, "started": "a"}


def test_what_no_longer_runs_is_not_up(tmp_path):
    state = LocalState(tmp_path, 1, ProcessIdentity(os.getpid(), "long ago"), ProcessIdentity(os.getpid(), "long ago"))
    assert state.running_ministack() is None
    assert state.running_simulator() is None


def test_the_plan_fits_the_host():
    parameters = local_parameters()
    assert parameters["Runtime"] == f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert parameters["Architecture"] in ("arm64", "x86_64")
    assert StackPlan().parameters == parameters


def test_the_simulators_addresses_become_parameters():
    urls = {"OPENAI_BASE_URL": "http://o", "FAL_BASE_URL": "http://f", "OTHER": "x"}
    (parameter,) = provider_parameters(urls).items()
    assert parameter == ("ProviderBaseUrls", '{"openai": "http://o", "fal": "http://f"}')


def test_an_address_that_is_asked_for_replaces_the_simulators():
    urls = {"OPENAI_BASE_URL": "http://o", "FAL_JWKS_URL": "http://j"}
    parameters = provider_parameters(urls, {"openai": "http://mine", "kling": "http://k"})
    assert json.loads(parameters["ProviderBaseUrls"]) == {"openai": "http://mine", "kling": "http://k"}
    assert parameters["FalJwksUrl"] == "http://j"


def test_addresses_that_cannot_be_used_are_refused_before_anything_starts(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROVIDER_BASE_URLS", "nonsense")
    monkeypatch.setattr("tools.local.__main__.WORKDIR", tmp_path)
    assert main(["up"]) == 1
    assert "PROVIDER_BASE_URLS must be JSON" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


SERVER = {
    "name": "mine",
    "base_url": "http://127.0.0.1:8880/v1",
    "voices": ["af_sky"],
    "models": [{"id": "kokoro", "prices": {"per_million_characters": 0}}],
}


def test_a_server_of_ones_own_is_deployed_with_a_key(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setenv("OPENAI_SERVERS", json.dumps([SERVER]))
    monkeypatch.setattr("tools.local.__main__.WORKDIR", tmp_path)

    def note(_workdir, _progress, **settings):
        given.update(settings)
        raise DeployError("enough is known")

    monkeypatch.setattr("tools.local.__main__.up", note)
    assert main(["up"]) == 1
    assert json.loads(given["added_servers"]) == [SERVER]
    assert given["added_keys"] == {"MINE_API_KEYS": "local"}


def test_a_server_that_cannot_be_used_is_refused_before_anything_starts(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_SERVERS", json.dumps([{**SERVER, "base_url": "http://example.com"}]))
    monkeypatch.setattr("tools.local.__main__.WORKDIR", tmp_path)
    assert main(["up"]) == 1
    assert "OPENAI_SERVERS[0]: base_url" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_simulators_keys_are_obviously_fake():
    keys = simulator_keys()
    assert set(keys_from(keys)) == set(VENDORS)
    assert all(key.startswith("sim-") for pool in keys.values() for key in pool.split(",") if key != ON)


def test_an_unknown_command_is_refused_with_the_usage(capsys):
    assert main(["sideways"]) == 2
    assert "up | down | status" in capsys.readouterr().err


class CloudFormation:
    """Answers with scripted stack events, newest first as AWS gives them."""

    class exceptions:  # noqa: N801  (boto3 names it so)
        ClientError = LookupError

    def __init__(self, events):
        self._events = events

    def describe_stack_events(self, StackName):  # noqa: N803, ARG002  (boto3's name)
        if self._events is None:
            raise LookupError
        return {"StackEvents": self._events}


def event(name, status, reason=None, minute=5):
    given = {"LogicalResourceId": name, "ResourceType": "AWS::SQS::Queue", "ResourceStatus": status}
    at = {"Timestamp": datetime(2026, 1, 1, 12, minute, tzinfo=UTC)}
    return given | at | ({"ResourceStatusReason": reason} if reason else {})


SINCE = datetime(2026, 1, 1, 12, 4, tzinfo=UTC)


def test_the_first_failure_of_this_deployment_comes_first():
    events = [
        event("B", "CREATE_FAILED", "cancelled"),
        event("A", "CREATE_FAILED", "bad name"),
        event("C", "CREATE_COMPLETE"),
        event("D", "CREATE_FAILED", "yesterday's", minute=3),
    ]
    reasons = failure_reasons(CloudFormation(events), "s", SINCE)
    assert reasons == ["A (AWS::SQS::Queue): bad name", "B (AWS::SQS::Queue): cancelled"]


def test_a_stack_that_never_was_has_no_reasons():
    assert failure_reasons(CloudFormation(None), "s", SINCE) == []
