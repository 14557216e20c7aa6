"""Where the stack is, and how to get in: found in the order that docs/publishers.md gives."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from mediarelay_client.errors import NotAllowed, NotFound, Unavailable

LOCAL_ENV: Final = Path(".local") / "env"
STACK: Final = "mediarelay-dev"
STACK_CACHE_SECONDS: Final = 3600
CONNECT_SECONDS: Final = 0.5
# What each value is called in the environment, in `.local/env` and among a stack's outputs.
NAMES: Final[Mapping[str, tuple[str, str, str]]] = {
    "queue_url": ("MEDIARELAY_QUEUE_URL", "REQUEST_QUEUE_URL", "RequestQueueUrl"),
    "topic_arn": ("MEDIARELAY_TOPIC_ARN", "MEDIA_RESULTS_TOPIC_ARN", "MediaResultsTopicArn"),
    "api_url": ("MEDIARELAY_API_URL", "API_URL", "ApiUrl"),
    "openai_url": ("MEDIARELAY_OPENAI_URL", "OPENAI_URL", "OpenaiUrl"),
    "api_token": ("MEDIARELAY_API_TOKEN", "API_TOKEN", ""),
    "reply_prefix": ("MEDIARELAY_REPLY_PREFIX", "REPLY_PREFIX", "ReplyPrefix"),
    "stack": ("MEDIARELAY_STACK", "", ""),
    "region": ("MEDIARELAY_REGION", "AWS_REGION", ""),
    "aws_profile": ("MEDIARELAY_AWS_PROFILE", "", ""),
    "tenant": ("MEDIARELAY_TENANT", "", ""),
    "endpoint_url": ("MEDIARELAY_ENDPOINT_URL", "AWS_ENDPOINT_URL", ""),
    "access_key": ("", "AWS_ACCESS_KEY_ID", ""),
    "secret_key": ("", "AWS_SECRET_ACCESS_KEY", ""),
}
SECRET: Final = frozenset({"api_token", "secret_key"})
_EXPORT: Final = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)


@dataclass
class Settings:
    """Values by name, and where each is from. It shows no value: a token is among them."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    origins: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> str | None:
        """Return a value; None when nobody gave it."""
        if name in NAMES:
            return self.values.get(name)
        raise AttributeError(name)

    def add(self, values: Mapping[str, str | None], origin: str) -> None:
        """Take what is not known yet."""
        for name, value in values.items():
            if value and name not in self.values:
                self.values[name], self.origins[name] = value, origin

    @property
    def by_aws(self) -> bool:
        """Whether requests go to the queue itself."""
        return "queue_url" in self.values

    @property
    def stack_name(self) -> str:
        """The stack's name, which its queues' names begin with."""
        queue = self.values.get("queue_url", "").rpartition("/")[2]
        return queue.partition("-RequestQueue")[0] or self.values.get("stack", STACK)

    @property
    def own_prefix(self) -> str:
        """What the names of clients' queues begin with."""
        return self.values.get("reply_prefix") or f"{self.stack_name}-reply-"

    def session(self) -> Any:
        """Make a session of boto3."""
        import boto3  # noqa: PLC0415 # a third of a second, and not needed by who has a token only

        try:
            return boto3.Session(
                aws_access_key_id=self.values.get("access_key"),
                aws_secret_access_key=self.values.get("secret_key"),
                region_name=self.values.get("region") or queue_region(self.values.get("queue_url", "")),
                profile_name=self.values.get("aws_profile"),
            )
        except Exception as error:
            hint = "name a profile of ~/.aws/config, or leave --aws-profile out"
            raise NotAllowed("no_profile", f"AWS: {error}", hint=hint) from error


def queue_region(url: str) -> str | None:
    """Return the region that the URL of a queue names."""
    found = re.match(r"https://sqs\.([a-z0-9-]+)\.", url)
    return found[1] if found else None


def find(
    given: Mapping[str, str | None] | None = None,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings: what is given, variables, `.local/env`, the profile, then the stack by its name.

    Raises:
        NotFound: There is no such stack or profile.
        NotAllowed: AWS does not say what the stack's outputs are.
    """
    found = Settings()
    found.add(given or {}, "given")
    found.add({name: environ.get(own) for name, (own, _, _) in NAMES.items() if own}, "the environment")
    if found.by_aws or "api_url" in found.values:
        return found
    if "stack" not in found.values:
        _near(found, environ)
        if not found.by_aws:
            _profile(found, profile or environ.get("MEDIARELAY_PROFILE"), environ)
    if not (found.by_aws or "api_url" in found.values):
        if "stack" not in found.values and "STAGE" in environ:
            found.add({"stack": f"mediarelay-{environ['STAGE']}"}, "STAGE")
        found.add({"stack": STACK}, "the default")
        outputs = _stack_outputs(found, environ)
        found.add({name: outputs.get(key) for name, (_, _, key) in NAMES.items() if key}, "the stack's outputs")
    return found


def _near(found: Settings, environ: Mapping[str, str]) -> None:
    """Take what a shell sourced, or the nearest `.local/env` whose stack answers."""
    if "REQUEST_QUEUE_URL" in environ:
        found.add({name: environ.get(local) for name, (_, local, _) in NAMES.items() if local}, "the environment")
        return
    for path in _local_files():
        variables = exported(path.read_text(encoding="utf-8"))
        if _answers(variables.get("AWS_ENDPOINT_URL", "")):
            found.add({name: variables.get(local) for name, (_, local, _) in NAMES.items() if local}, str(path))
            return


def _local_files() -> Iterator[Path]:
    here = Path.cwd()
    return (path for folder in (here, *here.parents) if (path := folder / LOCAL_ENV).is_file())


def exported(text: str) -> dict[str, str]:
    """Return what a file of exports sets; a value that a shell would have to work out is left out."""
    return {
        name: words[0]
        for name, value in _EXPORT.findall(text)
        if len(words := shlex.split(value)) == 1 and "$" not in value
    }


def _answers(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 443), CONNECT_SECONDS):
            return True
    except OSError:
        return False


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where profiles are kept."""
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mediarelay" / "config.toml"


def _profile(found: Settings, name: str | None, environ: Mapping[str, str]) -> None:
    import tomllib  # noqa: PLC0415 # only where there is a file

    path = config_file(environ)
    if not path.is_file():
        if name is not None:
            raise NotFound("no_profile", f"there is no profile {name}: {path} is missing", hint="mediarelay login")
        return
    profiles = tomllib.loads(path.read_text(encoding="utf-8"))
    chosen = profiles.get(name or "default")
    if chosen is None and name is not None:
        known = ", ".join(profiles) or "none"
        raise NotFound("no_profile", f"there is no profile {name} in {path}", hint=f"take one of those there: {known}")
    found.add(
        {key: str(value) for key, value in (chosen or {}).items() if key in NAMES}, f"{path} [{name or 'default'}]"
    )


def save_profile(name: str, values: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Path:
    """Write values of a profile, beside those it has; readable by its owner only."""
    import tomllib  # noqa: PLC0415 # only `login` writes one

    path = config_file(environ)
    profiles = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    profiles[name] = {**profiles.get(name, {}), **values}
    lines = [
        line
        for title, entries in profiles.items()
        for line in (
            f"[{json.dumps(title)}]",
            *(f"{key} = {json.dumps(str(value))}" for key, value in entries.items()),
            "",
        )
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _stack_outputs(found: Settings, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Ask CloudFormation, or take what it said within the hour."""
    session = found.session()
    name, region = found.values["stack"], session.region_name
    if region is None:
        raise NotFound("no_region", "no region is set", hint="pass --region, or set AWS_REGION; locally: make local")
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mediarelay" / "stacks.json"
    known = _cached(cache)
    place = f"{region}/{found.values.get('aws_profile', '')}/{name}"
    entry = known.get(place)
    if entry and time.time() - entry["at"] < STACK_CACHE_SECONDS:
        return dict(entry["outputs"])
    outputs = _described(session, name, found.values.get("endpoint_url"), region)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps({**known, place: {"at": time.time(), "outputs": outputs}}), encoding="utf-8")
    return outputs


def _cached(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _described(session: Any, name: str, endpoint: str | None, region: str) -> dict[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 # with boto3

    try:
        stacks = session.client("cloudformation", endpoint_url=endpoint).describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            hint = "run make local, or pass --stack or --region"
            raise NotFound("no_stack", f"no stack named {name} in {region}", hint=hint) from error
        code = error.response["Error"]["Code"]
        hint = "pass --profile, or set MEDIARELAY_QUEUE_URL and MEDIARELAY_API_URL"
        raise NotAllowed(
            "not_allowed", f"AWS refused us ({code} on cloudformation:DescribeStacks)", hint=hint
        ) from error
    except BotoCoreError as error:
        if "redentials" in str(error):
            hint = "run make local here, pass --profile, or log in to AWS"
            raise NotAllowed("no_credentials", "AWS knows no credentials of ours", hint=hint) from error
        raise Unavailable("aws_unreachable", f"AWS: {error}", retryable=True, hint="try again") from error
    return {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
