"""The local stack as one object: MiniStack, the deployed template, and clients for both.

with LocalStack.start(workdir, parameters={...}, secret={"OPENAI_API_KEYS": "..."}) as stack:
    stack.client("sqs").send_message(QueueUrl=stack.outputs["RequestQueueUrl"], MessageBody=...)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from tools.local.deploy import Deployment, Progress, stack_outputs
from tools.local.plan import SECRET_NAME, StackPlan
from tools.local.provider_secret import store_keys
from tools.localaws.environment import CREDENTIALS, REGION
from tools.localaws.ministack_process import MiniStackProcess


def silent(_step: str) -> None:
    """Show nothing."""


@dataclass
class LocalStack:
    """A running MiniStack with a stack in it. A context manager that ends both, also on errors and Ctrl-C.

    Everything it writes is under its working folder, so that several may run side by side.
    """

    ministack: MiniStackProcess
    plan: StackPlan
    outputs: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def start(
        cls,
        workdir: Path,
        *,
        parameters: Mapping[str, str] | None = None,
        secret: Mapping[str, str] | None = None,
        plan: StackPlan | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Start MiniStack, store the providers' keys, build and deploy.

        `parameters` go to the template, on top of the plan's; `secret` holds the keys by variable name, and its name
        goes to the template as KeysSecretName; `progress` is told each step in words.
        Raises MiniStackError or DeployError, and leaves nothing running.
        """
        workdir.mkdir(parents=True, exist_ok=True)
        plan = plan or StackPlan()
        progress("starting MiniStack (the first start after installation takes a while)")
        stack = cls(MiniStackProcess.start(workdir, settings=plan.settings), plan)
        try:
            stack.deploy(parameters or {}, secret, progress)
        except BaseException:
            stack.stop()
            raise
        return stack

    def deploy(self, parameters: Mapping[str, str], secret: Mapping[str, str] | None, progress: Progress) -> None:
        """Deploy, for the first time or again, and read the outputs; raises DeployError."""
        named = {}
        if secret is not None:
            name = parameters.get("KeysSecretName", SECRET_NAME)
            store_keys(self.client("secretsmanager"), name, secret)
            named = {"KeysSecretName": name}
        cloudformation = self.client("cloudformation")
        deployment = Deployment(self.plan, self.endpoint, self.ministack.workdir)
        deployment.run({**self.plan.parameters, **named, **parameters}, cloudformation, progress)
        self.outputs = stack_outputs(cloudformation, self.plan.stack_name)

    @property
    def endpoint(self) -> str:
        """The URL that AWS clients use."""
        return self.ministack.endpoint

    @property
    def api_url(self) -> str:
        """Where any HTTP client finds the API and the console; many resolvers know no name below localhost."""
        api_id = self.outputs["ApiUrl"].removeprefix("https://").partition(".")[0]
        return f"{self.endpoint}/_aws/execute-api/{api_id}/$default/"

    @property
    def openai_url(self) -> str:
        """The base URL of OpenAI's SDKs. Not on the host of links to files, to which they would send their token."""
        url_id = self.outputs["OpenaiUrl"].removeprefix("https://").partition(".")[0]
        return f"http://localhost:{self.ministack.port}/_aws/lambda-url/{url_id}/v1"

    def client(self, service: str) -> Any:
        """A boto3 client for the local AWS, made when it is first asked for."""
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        session = boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        # Any service goes, so the typed overloads of the stubs don't apply.
        make: Any = session.client
        return make(service, endpoint_url=self.endpoint, config=Config(retries={"max_attempts": 3}))

    def stop(self) -> None:
        """End everything; nothing happens the second time."""
        self.ministack.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
