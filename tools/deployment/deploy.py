"""`make deploy`: look at what a deployment stands on, build for the stack's runtime, deploy, say what would stay."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.deployment import account
from tools.deployment.findings import Finding, told, until_fault
from tools.deployment.stack import added_servers, defaults, deployed_stack, left_behind, well_formed
from tools.deployment.stored_secrets import ProviderKeys, api_tokens, budgets, callback_secrets, provider_keys
from tools.local.deploy import overrides
from tools.local.project import ROOT, SAM

# What the layer is built for.
BUILT_FOR = ("Runtime", "Architecture")
Run = Callable[[Sequence[str]], int]


def run(command: Sequence[str]) -> int:
    """Run the SAM CLI where a person sees it. Returns its exit status."""
    done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603  (the SAM CLI with arguments of ours)
    return done.returncode


@dataclass(frozen=True)
class Deployment:
    """A stack of a stage on its way to AWS.

    Attributes:
        session: Where to.
        stage: Its stage.
        given: Parameters that were asked for.
        confirm: Whether a person is asked about the changes.
        environment: Where regions are named.
    """

    session: Any
    stage: str
    given: Mapping[str, str]
    confirm: bool
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def name(self) -> str:
        """The stack's name."""
        return f"mediarelay-{self.stage}"

    def parameters(self) -> dict[str, str]:
        """Returns all parameters as they will be: the template's defaults, the stack's own, and those asked for."""
        deployed = deployed_stack(self.session, self.name)
        return {**defaults(), **(deployed.parameters if deployed else {}), **self.given, "Stage": self.stage}

    def checks(self) -> Iterator[Finding]:
        """Look at everything that would fail later, and cheaply."""
        yield from until_fault(
            lambda: account.region(self.session, self.environment),
            lambda: account.identity(self.session),
            self._of_the_account,
        )

    def _of_the_account(self) -> Iterator[Finding]:
        parameters = self.parameters()
        yield from well_formed(parameters)
        yield from account.limits(self.session, parameters)
        found = ProviderKeys()
        yield from provider_keys(self.session, parameters["KeysSecretName"], added_servers(parameters), found)
        yield from api_tokens(self.session, parameters["ApiTokensSecretName"])
        yield from callback_secrets(self.session, parameters["CallbackSecretsName"], parameters["CallbackHosts"])
        yield from budgets(self.session, parameters["BudgetsParameter"])

    def deploy(self, call: Run = run) -> int:
        """Check, build, deploy. Returns an exit status; nothing is built where a check fails."""
        if told(self.checks()):
            return 1
        parameters = self.parameters()
        # A folder for each environment of samconfig.toml: a layer built for the local host is never deployed to AWS.
        config = ["--config-env", "local" if self.stage == "local" else "default"]
        # A stack keeps the runtime it once got: the layer must fit that one, not the template's default.
        fitting = {name: parameters[name] for name in BUILT_FOR}
        status = call([str(SAM), "build", *config, *overrides(fitting)])
        if status:
            return status
        asked_for = {**self.given, **fitting, "Stage": self.stage}
        where = ["--stack-name", self.name, "--region", self.session.region_name]
        confirm = "--confirm-changeset" if self.confirm else "--no-confirm-changeset"
        status = call([str(SAM), "deploy", *config, *where, confirm, *overrides(asked_for)])
        if status == 0:
            print(f"\n{self.name} is deployed. `sam delete --stack-name {self.name}` would leave behind:")
            for line in left_behind(self.session, self.name, parameters):
                print(f"  {line}")
        return status
