"""`doctor`, `open`, `url`, `login`, `sweep-queues` and `completion`: getting in, and finding out why not."""

from __future__ import annotations

import email.utils
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

import click

from mediarelay_client.command.facts import span
from mediarelay_client.command.session import Session, table, with_session
from mediarelay_client.errors import InvalidRequest, NotFound, RelayError

SKEW_SECONDS: Final = 60.0


@click.command(short_help="What is set, where it is from, and whether it works.")
@with_session
def doctor(session: Session) -> int:
    """Say what each value is and where it came from, then try each. Changes and buys nothing.

    \b
      mediarelay doctor
      mediarelay doctor --stack mediarelay-prod --region eu-central-1
      mediarelay doctor --json
    """
    from mediarelay_client.settings import NAMES, SECRET  # noqa: PLC0415 # not for help

    settings = session.settings
    values = {name: ("set" if name in SECRET else settings.values[name]) for name in NAMES if name in settings.values}
    if not session.as_json:
        table(("VALUE", "", "FROM"), [(name, value, settings.origins[name]) for name, value in values.items()])
    failed: RelayError | None = None
    for what, error, told in _tried(session):
        failed = failed or error
        if session.as_json:
            session.show({"check": what, "ok": error is None, "message": error.message if error else told})
        else:
            hint = f" ; {error.hint}" if error and error.hint else ""
            click.echo(f"{'✕' if error else '✓'} {what}: {f'{error.message}{hint}' if error else told}")
    return failed.exit_code if failed else 0


def _tried(session: Session) -> Iterator[tuple[str, RelayError | None, str]]:
    """Yield what was tried, what was wrong with it, or what it told."""
    checks: dict[str, Callable[[Session], str]] = {}
    if session.settings.by_aws:
        checks |= {"identity": _identity, "queue": _queue}
    if session.settings.api_url:
        checks |= {"API": _api, "clock": _clock}
    for what, check in checks.items():
        try:
            told = check(session)
        except RelayError as error:
            yield what, error, ""
        else:
            yield what, None, told


def _identity(session: Session) -> str:
    from mediarelay_client.aws import aws_errors  # noqa: PLC0415 # needs boto3

    with aws_errors("sts:GetCallerIdentity"):
        sts = session.settings.session().client("sts", endpoint_url=session.settings.endpoint_url)
        return str(sts.get_caller_identity()["Arn"])


def _queue(session: Session) -> str:
    from mediarelay_client.aws import aws_errors  # noqa: PLC0415 # needs boto3

    with aws_errors("sqs:GetQueueAttributes"):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        asked = {"QueueUrl": session.settings.values["queue_url"], "AttributeNames": names}
        found = session.relay.sqs.get_queue_attributes(**asked)["Attributes"]
    return f"{found[names[0]]} waiting, {found[names[1]]} delayed"


def _api(session: Session) -> str:
    from mediarelay_client import __version__  # noqa: PLC0415 # known by now

    began = time.monotonic()
    providers = session.relay.api.get("providers/health")["providers"]
    took = span(time.monotonic() - began)
    return f"{len(providers)} providers in {took}; client {__version__}"


def _clock(session: Session) -> str:
    import httpx  # noqa: PLC0415 # not for help

    try:
        answer = httpx.get(session.settings.values["api_url"], timeout=10)
    except httpx.HTTPError as error:
        raise RelayError("no_clock", f"its clock is not known ({error})") from error
    date = answer.headers.get("date")
    if date is None:
        return "its time is not told"
    skew = time.time() - email.utils.parsedate_to_datetime(date).timestamp()
    if abs(skew) > SKEW_SECONDS:
        raise RelayError(
            "clock_skew", f"this clock is {skew:.0f} s off", hint="set it: AWS refuses what is signed late"
        )
    return f"within {abs(skew) + 1:.0f} s"


@click.command("open", short_help="Open the console.")
@click.argument("view", default="")
@click.option("--print", "printed", is_flag=True, help="Print the address, with the token, and open nothing.")
@with_session
def open_(session: Session, view: str, *, printed: bool) -> int:
    """Open the console, at a view of it. The token goes in the fragment of the address, which never reaches a server,
    and which the page removes at once.

    \b
      mediarelay open
      mediarelay open jobs/order-17
      mediarelay open money --print
      mediarelay open --stack mediarelay-prod
    """
    url = _api_url(session)
    token = session.settings.api_token
    # An id may hold what an address may not.
    place = f"/{quote(view.strip('/'))}" if view else ""
    given = f"{'?' if view else ''}token={quote(token)}" if token else ""
    address = f"{url}#{place}{given}" if place or given else url
    if printed or click.launch(address):
        click.echo(address)
    return 0


@click.command(short_help="Where the API is.")
@click.argument("which", type=click.Choice(["api", "openai"]), default="api")
@with_session
def url(session: Session, which: str) -> int:
    """Print the address of the API, or the base URL for OpenAI's SDKs.

    \b
      mediarelay url
      export OPENAI_BASE_URL=$(mediarelay url openai) OPENAI_API_KEY=$API_TOKEN
      mediarelay url --stack mediarelay-prod
      curl -H "authorization: Bearer $API_TOKEN" "$(mediarelay url)providers/health"
    """
    if which == "api":
        click.echo(f"{_api_url(session)}api/v1/")
        return 0
    found = session.settings.openai_url
    if found is None:
        raise NotFound("no_openai_url", "where OpenAI's SDKs are served is not known", hint="pass --stack")
    click.echo(found)
    return 0


def _api_url(session: Session) -> str:
    found = session.settings.api_url
    if found is None:
        raise NotFound("no_api", "where the API is is not known", hint="pass --api-url, or --stack")
    return found if found.endswith("/") else f"{found}/"


@click.command(short_help="Keep a token for the API.")
@click.option("--token", help="The token; asked for, or read from stdin, when absent.")
@with_session
def login(session: Session, *, token: str | None) -> int:
    """Try a token and keep it, with the API's address, in ~/.config/mediarelay/config.toml (readable by you only).

    \b
      mediarelay login --api-url https://abc.execute-api.eu-central-1.amazonaws.com/
      mediarelay login --profile prod --stack mediarelay-prod
      mediarelay login < token.txt
    """
    from mediarelay_client.api import Api  # noqa: PLC0415 # not for help
    from mediarelay_client.settings import save_profile  # noqa: PLC0415 # as above

    address = _api_url(session)
    if token is None:
        token = click.prompt("token", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not token:
        raise InvalidRequest("invalid_request", "there is no token", hint="mediarelay login --token TOKEN")
    api = Api(address, token)
    try:
        api.get("providers/health")
    finally:
        api.close()
    kept: dict[str, str] = {"api_url": address, "api_token": token}
    settings = session.settings
    kept |= {name: settings.values[name] for name in ("region", "queue_url", "topic_arn") if name in settings.values}
    path = save_profile(session.profile or "default", kept)
    session.talk.line(f"  kept in {path} [{session.profile or 'default'}]")
    return 0


@click.command("sweep-queues", short_help="Delete the queues of clients that ended without closing.")
@with_session
def sweep_queues(session: Session) -> int:
    """Delete queues of replies that nobody has used for an hour.

    \b
      mediarelay sweep-queues
      mediarelay sweep-queues --stack mediarelay-prod
      mediarelay sweep-queues --json
    """
    from mediarelay_client.aws import sweep  # noqa: PLC0415 # needs boto3

    if not session.settings.by_aws:
        raise NotFound("no_queue", "where the queues are is not known", hint="pass --stack")
    swept = sweep(session.relay.sqs, session.settings.own_prefix, time.time())
    for name in swept:
        if session.as_json:
            session.show({"deleted": name})
        else:
            click.echo(name)
    session.talk.line(f"  {len(swept)} deleted")
    return 0


@click.command(short_help="Completion for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print what a shell sources to complete commands and options.

    \b
      source <(mediarelay completion bash)
      mediarelay completion zsh > ~/.zfunc/_mediarelay
      mediarelay completion fish > ~/.config/fish/completions/mediarelay.fish
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 # not for help

    from mediarelay_client.command import cli  # noqa: PLC0415 # it imports us

    made: Any = get_completion_class(shell)
    click.echo(made(cli, {}, "mediarelay", "_MEDIARELAY_COMPLETE").source())
    return 0
