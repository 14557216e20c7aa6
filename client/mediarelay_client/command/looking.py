"""`providers`, `keys`, `incidents`, `usage` and `budget`: what operators look at."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

import click

from mediarelay_client.command.facts import money, span
from mediarelay_client.command.session import Session, table, with_session
from mediarelay_client.errors import InvalidRequest

MARKS: Final = {
    **dict.fromkeys(("healthy", "resolved"), "●"),
    **dict.fromkeys(("degraded", "changed"), "◐"),
    **dict.fromkeys(("down", "exhausted", "rejected", "opened"), "✕"),
    "idle": "○",
    "active": "✓",
    "cooling": "◷",
    "disabled": "⊘",
}


def _state(word: str) -> str:
    """Return a state by shape and word."""
    return f"{MARKS.get(word, '')} {word}".strip()


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def _shown(session: Session, items: Iterable[dict[str, Any]]) -> bool:
    """Write them as lines of JSON where that is asked for. Returns whether it was."""
    if session.as_json:
        for item in items:
            session.show(item)
    return session.as_json


@click.command(short_help="Every provider's health.")
@click.argument("name", required=False)
@with_session
def providers(session: Session, *, name: str | None) -> int:
    """Tell the health of every provider over the last five minutes, or of one.

    \b
      mediarelay providers
      mediarelay providers openai-tts
      mediarelay providers --json | jq -r 'select(.effective_status=="down").provider'
    """
    api = session.relay.api
    found = [api.get(f"providers/{quote(name, safe='')}/health")] if name else api.get("providers/health")["providers"]
    if _shown(session, found):
        return 0
    rows = []
    for each in found:
        record = each.get("record") or {}
        rate, samples = record.get("success_rate"), record.get("samples") or 0
        done = f"{rate * 100:.0f} % of {samples}" if rate is not None else ""
        p50, p95 = record.get("p50_ms"), record.get("p95_ms")
        latency = [span(value / 1000) if value else "" for value in (p50, p95)]
        rows.append((each["provider"], each["kind"], _state(each["effective_status"]), done, *latency))
    table(("PROVIDER", "KIND", "STATUS", "5 MINUTES", "P50", "P95"), rows, right=("P50", "P95"))
    return 0


@click.command(short_help="Every key, by its id.")
@click.option("--vendor", help="Only this vendor's.")
@with_session
def keys(session: Session, *, vendor: str | None) -> int:
    """Tell what is known of every key, by its id; never a key.

    \b
      mediarelay keys
      mediarelay keys --vendor fal
      mediarelay keys --json | jq -r 'select(.status!="active").key_id'
    """
    found = [key for key in session.relay.api.get("keys")["keys"] if vendor in (None, key["vendor"])]
    if _shown(session, found):
        return 0
    now, rows = time.time(), []
    for key in found:
        back = span(key["until"] - now) if key.get("until") and key["until"] > now else ""
        what = " at ".join(part for part in (key.get("code"), key.get("provider")) if part)
        rows.append((key["key_id"], key["vendor"], key["account"], _state(key["status"]), back, what))
    table(("KEY", "VENDOR", "ACCOUNT", "STATE", "BACK IN", "LAST REFUSAL"), rows, right=("BACK IN",))
    return 0


@click.command(short_help="Every voice.")
@click.option("--language", metavar="TAG", help="Those that speak it, such as de or de-AT.")
@click.option("--provider", help="Those of one.")
@with_session
def voices(session: Session, *, language: str | None, provider: str | None) -> int:
    """Tell the voices that a request may name: those of the book, then the vendors' own.

    \b
      mediarelay voices
      mediarelay voices --language de --provider polly-tts
      mediarelay voices --json | jq -r 'select(.provider==null).voice'
    """
    found = session.relay.api.get("voices", language=language, provider=provider)["voices"]
    if _shown(session, found):
        return 0
    rows = []
    for each in found:
        where = each["provider"] or f"all; at home at {', '.join(each['at_home'])}"
        end = f"ends {each['retires']}" if each.get("retires") else ""
        tongues = "every" if each["languages"] == ["*"] else ", ".join(each["languages"])
        rows.append((each["voice"], where, each.get("gender") or "", tongues, ", ".join(each["plays"]), end))
    table(("VOICE", "PROVIDER", "GENDER", "LANGUAGES", "PLAYS", ""), rows)
    return 0


@click.command(short_help="Every model, with its price.")
@click.option("--provider", help="Those of one.")
@with_session
def models(session: Session, *, provider: str | None) -> int:
    """Tell the models that a request may name, with prices and ends.

    \b
      mediarelay models
      mediarelay models --provider openai-tts
      mediarelay models --json | jq -r 'select(.retires!=null).model'
    """
    found = session.relay.api.get("models", provider=provider)["models"]
    if _shown(session, found):
        return 0
    rows = []
    for each in found:
        prices = ", ".join(f"${price:g} {unit.replace('_', ' ')}" for unit, price in each["prices"].items())
        end = f"retires {each['retires']}" if each.get("retires") else ""
        usual = "default" if each["default"] else ""
        rows.append((each["provider"], each["model"], usual, span(each["typical_seconds"]), prices, end))
    table(("PROVIDER", "MODEL", "", "USUALLY", "PRICES", ""), rows, right=("USUALLY",))
    return 0


@click.command(short_help="The newest alerts.")
@click.argument("incident_id", metavar="[ID]", required=False)
@with_session
def incidents(session: Session, *, incident_id: str | None) -> int:
    """Tell the newest alerts, or all of one incident with what to do.

    \b
      mediarelay incidents
      mediarelay incidents openai-tts-1793440000
      mediarelay incidents --json
    """
    found = session.relay.api.get("incidents")["alerts"]
    if incident_id is not None:
        found = [alert for alert in found if alert.get("incident_id") == incident_id]
    if _shown(session, found):
        return 0
    rows = [
        (_moment(alert["at"]), _state(alert["event"]), str(alert.get("incident_id") or ""), _headline(alert))
        for alert in found
    ]
    table(("WHEN (UTC)", "EVENT", "INCIDENT", "WHAT"), rows)
    if incident_id is not None:
        for action in dict.fromkeys(alert.get("what_to_do") for alert in found):
            if action:
                click.echo(f"  {action}")
    return 0


def _headline(alert: dict[str, Any]) -> str:
    return " ".join(str(alert["summary"]).split())


@click.command(short_help="What was used, and what it cost.")
@click.option("--from", "first", metavar="DAY", help="The first day, UTC; six before the last when absent.")
@click.option("--to", "last", metavar="DAY", help="The last day, UTC; today when absent.")
@click.option("--by", default="day,provider", show_default=True, help="Of day, tenant, provider, model.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
@with_session
def usage(session: Session, *, first: str | None, last: str | None, by: str, as_csv: bool) -> int:
    """Tell settled jobs and their cost.

    \b
      mediarelay usage
      mediarelay usage --from 2026-11-01 --by tenant,provider
      mediarelay usage --by model --csv > usage.csv
    """
    query: dict[str, str | None] = {"from": first, "to": last, "by": by}
    if as_csv:
        click.echo(session.relay.api.get("usage", format="csv", **query), nl=False)
        return 0
    report = session.relay.api.get("usage", **query)
    if _shown(session, report["totals"]):
        return 0
    names = report["by"]
    rows = [(*(str(total.get(name) or "") for name in names), *_figures(total)) for total in report["totals"]]
    rows.append((*("all" if not number else "" for number in range(len(names))), *_figures(report["whole"])))
    figures = ("DONE", "FAILED", "COST", "UNCERTAIN")
    table((*(name.upper() for name in names), *figures), rows, right=figures)
    return 0


def _figures(total: dict[str, Any]) -> tuple[str, ...]:
    failed = sum(int(total.get(name) or 0) for name in ("failed", "expired", "rejected"))
    unsure = total.get("uncertain_usd") or 0.0
    return (
        f"{total.get('succeeded') or 0:,}",
        f"{failed:,}",
        money(float(total.get("cost_usd") or 0.0)),
        f"{money(float(unsure))} ({total.get('uncertain')} calls)" if unsure else "",
    )


@click.group(short_help="What is spent of budgets.")
def budget() -> None:
    """Budgets of tenants and of the stage."""


@budget.command("ls", short_help="What is spent of each.")
@with_session
def budget_ls(session: Session) -> int:
    """Tell what of this month's budgets is spent, reserved and left.

    \b
      mediarelay budget ls
      mediarelay budget ls --json
      mediarelay budget ls | cut -f 1,2
    """
    found = session.relay.api.get("budgets")["budgets"]
    if _shown(session, found):
        return 0
    rows = [
        (
            each["payer"],
            money(each["spent_usd"]),
            money(each["reserved_usd"]),
            *(money(each[name]) if each.get(name) is not None else "" for name in ("month_left_usd", "month_usd")),
            bar(each["spent_usd"] + each["reserved_usd"], each.get("month_usd")),
        )
        for each in found
    ]
    heads = ("PAYER", "SPENT", "RESERVED", "LEFT", "MONTH", "")
    table(heads, rows, right=heads[1:5])
    return 0


@budget.command("set", short_help="Set what one may spend.")
@click.argument("payer", metavar="stage|tenant:NAME")
@click.option("--day", type=float, metavar="USD", help="US dollars a day.")
@click.option("--month", type=float, metavar="USD", help="US dollars a month.")
@click.option("--reason", required=True, help="Why, for the audit.")
@with_session
def budget_set(session: Session, *, payer: str, day: float | None, month: float | None, reason: str) -> int:
    """Set what the stage or a tenant may spend, in place of what it might. Without an amount there is no bound.

    \b
      mediarelay budget set stage --month 9000 --reason "the year's plan"
      mediarelay budget set tenant:acme --day 10 --month 60 --reason "their order"
      mediarelay budget set "tenant:*" --reason "no bound for others any more"
    """
    if not all(math.isfinite(each) for each in (day, month) if each is not None):
        raise InvalidRequest("invalid_request", "--day and --month are US dollars; without one there is no bound")
    order = {"payer": payer, "day_usd": day, "month_usd": month, "reason": reason}
    done = session.relay.api.post("budgets", {name: value for name, value in order.items() if value is not None})
    if session.as_json:
        session.show(done)
        return 0
    amounts = [f"{money(each)} a {name}" for name, each in (("day", day), ("month", month)) if each is not None]
    session.talk.line(f"  {payer} may spend {' and '.join(amounts) or 'without a bound'}, within a minute from now")
    return 0


def bar(used: float, most: float | None) -> str:
    """Return how much of something is used, drawn and in figures."""
    if not most:
        return ""
    share = min(1.0, used / most)
    full = round(share * 8)
    return f"{'▇' * full}{'▁' * (8 - full)} {share * 100:.0f} %"
