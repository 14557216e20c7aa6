"""Builds and deploys a template with the real SAM CLI."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from yaml import CSafeLoader

from tools.local.plan import StackPlan
from tools.local.project import SAM, UV_FOLDER
from tools.localaws.background_process import log_tail
from tools.localaws.environment import REGION, client_environment

CONFIG_ENVIRONMENT = "local"
# How often `sam deploy` looks whether it is done; by itself it sleeps for five seconds first.
POLL_SECONDS = "0.3"
_LAYER_TYPE = "AWS::Serverless::LayerVersion"

Progress = Callable[[str], None]


class DeployError(Exception):
    """Building or deploying failed; the message holds CloudFormation's reason and the end of the log."""


@dataclass(frozen=True)
class Deployment:
    """One template on its way to one endpoint, its build and its log in a folder of its own."""

    plan: StackPlan
    endpoint: str
    workdir: Path

    @property
    def log(self) -> Path:
        """What the SAM CLI said."""
        return self.workdir / "sam.log"

    def run(self, parameters: Mapping[str, str], cloudformation: Any, progress: Progress) -> None:
        """Build, unless the plan names a build, and deploy.

        `parameters` are the template's, `cloudformation` a client that knows why it failed.
        """
        if self.plan.built is None:
            self.build(parameters, progress)
        progress(f"deploying {self.plan.stack_name} (sam deploy)")
        started = datetime.now(UTC)
        try:
            self._sam(["deploy", *self._deploy_options(), *overrides(parameters)], "sam deploy failed")
        except DeployError as error:
            reasons = failure_reasons(cloudformation, self.plan.stack_name, started)
            raise DeployError("\n".join([*reasons, str(error)])) from error

    def build(self, parameters: Mapping[str, str], progress: Progress) -> Path:
        """Build the functions and pack their layers. Returns the folder, which a plan may name.

        Of the parameters only the runtime and the processor make a difference to it.
        """
        if not SAM.exists():
            raise DeployError(f"{SAM} is missing: run `make install`")
        self.log.unlink(missing_ok=True)
        progress("building the functions and their layer (sam build)")
        self._sam(["build", *self._build_options(), *overrides(parameters)], "sam build failed")
        pack_layers(self._build)
        return self._build

    def _build_options(self) -> list[str]:
        folders = ["--build-dir", str(self._build), "--cache-dir", str(self.workdir / "sam-cache")]
        return ["--template-file", str(self.plan.template), *folders, *self._config()]

    def _deploy_options(self) -> list[str]:
        where = ["--template-file", str(self._build / "template.yaml"), "--stack-name", self.plan.stack_name]
        answers = ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
        return [
            *where,
            "--resolve-s3",
            "--capabilities",
            "CAPABILITY_IAM",
            "--region",
            REGION,
            *answers,
            *self._config(),
        ]

    @property
    def _build(self) -> Path:
        return self.plan.built or self.workdir / "sam-build"

    def _config(self) -> list[str]:
        config = self.plan.template.with_name("samconfig.toml")
        return ["--config-file", str(config), "--config-env", CONFIG_ENVIRONMENT] if config.exists() else []

    def _sam(self, arguments: list[str], failure: str) -> None:
        with self.log.open("ab") as log:
            command = [str(SAM), *arguments]
            done = subprocess.run(  # noqa: S603  (the SAM CLI with arguments of ours)
                command,
                cwd=self.plan.template.parent,
                env=sam_environment(self.endpoint),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise DeployError(f"{failure}; {log_tail(self.log)}")


def sam_environment(endpoint: str) -> dict[str, str]:
    """The caller's environment without its AWS settings, for the SAM CLI and the builds it starts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "PYTHON"))}
    return {
        **kept,
        **client_environment(endpoint),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": POLL_SECONDS,
        "PATH": os.pathsep.join([str(UV_FOLDER), str(SAM.parent), os.environ.get("PATH", os.defpath)]),
    }


class _BuiltTemplate(CSafeLoader):
    """YAML as the SAM CLI reads it: a date is text."""


def _text(loader: CSafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_BuiltTemplate.add_constructor("tag:yaml.org,2002:timestamp", _text)


def pack_layers(build: Path) -> None:
    """Make each layer of a build an archive, with its bytecode, and have the built template name that.

    The SAM CLI packs them as small as it can, which is most of a deployment's work, and its functions then compile two
    hundred modules. On one machine all that serves nothing. Nor does YAML, which the SAM CLI reads five times over: the
    template is left as JSON, which is YAML too.
    """
    template = build / "template.yaml"
    document = yaml.load(template.read_text(encoding="utf-8"), _BuiltTemplate)  # noqa: S506 # a safe one
    for resource in document["Resources"].values():
        if resource["Type"] != _LAYER_TYPE:
            continue
        name = resource["Properties"]["ContentUri"]
        # Bytecode goes by its place alone, since unpacking makes every file new. What can't be compiled stays source.
        command = [sys.executable, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([*command, str(build / name)], env=sam_environment(""), check=False)  # noqa: S603 # our own interpreter
        _archive(build / name, build / f"{name}.zip")
        resource["Properties"]["ContentUri"] = f"{name}.zip"
    template.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _archive(folder: Path, archive: Path) -> None:
    """Pack a folder as it is, and the same way each time, so that what is unchanged is known by its digest."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            info.external_attr = 0o100755 << 16
            packed.writestr(info, path.read_bytes())


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """Returns the SAM CLI's arguments for these parameters."""
    # The SAM CLI splits each argument at spaces again, unless its value is quoted.
    quoted = [f'{name}="{value.replace(chr(34), chr(92) + chr(34))}"' for name, value in parameters.items()]
    return ["--parameter-overrides", *quoted] if quoted else []


def failure_reasons(cloudformation: Any, stack_name: str, since: datetime) -> list[str]:
    """Why CloudFormation failed, resource by resource, the first failure first; earlier deployments' are left out."""
    try:
        events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    except cloudformation.exceptions.ClientError:
        # A first deployment may fail before there is a stack.
        return []
    return [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
        for event in reversed(events)
        if event["Timestamp"] >= since
        and event["ResourceStatus"].endswith("FAILED")
        and event.get("ResourceStatusReason")
    ]


def stack_outputs(cloudformation: Any, stack_name: str) -> dict[str, str]:
    """The outputs of a deployed stack."""
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
