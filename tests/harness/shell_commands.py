"""Stand-ins for the commands that the pages show: `python -m tests.harness.shell_commands NAME ARGUMENT…`.

As version 1 of the AWS CLI does for SQS, this `aws` ignores AWS_ENDPOINT_URL; unlike that one, it never calls AWS
itself, but refuses a command without `--endpoint-url`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import jmespath
import requests
from botocore import xform_name

# Where the command line has a name of its own for a parameter.
RENAMED = {"--notification-endpoint": "Endpoint"}


def aws(arguments: Sequence[str]) -> str:
    """Call one operation, named and parametrised as on the command line; returns what the CLI would print."""
    parser = argparse.ArgumentParser(prog="aws", allow_abbrev=False)
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--query", default="@")
    parser.add_argument("--output", default="json")
    parser.add_argument("service")
    parser.add_argument("operation")
    known, rest = parser.parse_known_args(arguments)
    os.environ.pop("AWS_ENDPOINT_URL", None)
    make: Any = boto3.client
    client = make(known.service, endpoint_url=known.endpoint_url)
    if (known.service, known.operation) == ("s3", "ls"):
        return _listed(client, rest)
    method = known.operation.replace("-", "_")
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    answer = getattr(client, method)(**_parameters(rest, shape.members))
    del answer["ResponseMetadata"]
    found = jmespath.search(known.query, answer)
    return str(found) if known.output == "text" else json.dumps(found) if found else ""


def curl(arguments: Sequence[str]) -> str:
    """Fetch an address with the headers given by `-H`; returns the body."""
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("url")
    known = parser.parse_args(arguments)
    headers = dict(header.split(": ", 1) for header in known.headers)
    answer = requests.get(known.url, headers=headers, timeout=600)
    answer.raise_for_status()
    return answer.text


def xdg_open(arguments: Sequence[str]) -> str:
    """Note the address, for want of a browser."""
    (address,) = arguments
    Path("opened").write_text(address, encoding="utf-8")
    return ""


def mediarelay(arguments: Sequence[str]) -> str:
    """Run the command itself, which writes where it is to be read."""
    client = Path(__file__).parents[2] / "client"
    known = {**os.environ, "PYTHONPATH": f"{client}:{os.environ.get('PYTHONPATH', '')}"}
    subprocess.run([sys.executable, "-m", "mediarelay_client", *arguments], env=known, check=True)
    return ""


def install(folder: Path) -> None:
    """Put the commands into a folder that is to come first in PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COMMANDS:
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {__name__} {name} "$@"\n')
        command.chmod(0o755)


def _parameters(options: Sequence[str], members: Any) -> dict[str, Any]:
    """Translate `--queue-url X` into `QueueUrl=X`, each value by the type that the operation asks for."""
    names = {f"--{xform_name(name, '-')}": name for name in members} | RENAMED
    pairs = zip(options[::2], options[1::2], strict=True)
    return {names[flag]: _value(members[names[flag]].type_name, text) for flag, text in pairs}


def _value(kind: str, text: str) -> Any:
    match kind:
        case "integer":
            return int(text)
        case "list":
            return [text]
        case "map" | "structure":
            return json.loads(text)
    return text


def _listed(client: Any, rest: Sequence[str]) -> str:
    """Answer `s3 ls --recursive s3://BUCKET`."""
    recursive, address = rest
    assert recursive == "--recursive", rest
    found = client.list_objects_v2(Bucket=address.removeprefix("s3://")).get("Contents", [])
    return "\n".join(f"{each['LastModified']:%F %T} {each['Size']:>10} {each['Key']}" for each in found)


COMMANDS = {"aws": aws, "curl": curl, "xdg-open": xdg_open, "mediarelay": mediarelay}

if __name__ == "__main__":
    print(COMMANDS[sys.argv[1]](sys.argv[2:]))  # noqa: T201  (a command prints)
