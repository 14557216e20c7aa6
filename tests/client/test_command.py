from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mediarelay_client as client
from mediarelay_client.command import COMMANDS, main
from tests.harness.client_stack import CONTENT, PREFIX, QUEUE, TOKEN, ClientStack

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(stack: ClientStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command in an empty folder, with the stack in its environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REQUEST_QUEUE_URL", raising=False)
    for name, value in {"QUEUE_URL": QUEUE, "API_URL": stack.url, "API_TOKEN": TOKEN, "REPLY_PREFIX": PREFIX}.items():
        monkeypatch.setenv(f"MEDIARELAY_{name}", value)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        said = capfd.readouterr()
        return status, said.out, said.err

    return run


def test_say_saves_a_file_and_tells_of_it(run: Run) -> None:
    status, out, err = run("say", "Hello there")
    assert (status, Path("hello.mp3").read_bytes()) == (0, CONTENT)
    assert out.startswith("hello.mp3   1 KB")
    assert out.rstrip().endswith("openai-tts m   0.0 s   $0.0010")
    assert err.startswith("· ")
    assert err.rstrip().endswith("stored")


def test_a_file_that_is_there_is_not_written_over(run: Run) -> None:
    run("say", "hello")
    assert run("say", "hello")[1].startswith("hello-2.mp3")


def test_words_that_are_too_long_for_the_name_of_a_file_are_spoken(run: Run, stack: ClientStack) -> None:
    assert run("say", "灯" * 200)[0] == 0
    assert stack.published[0]["input"]["text"] == "灯" * 200


def test_a_file_that_is_no_text_is_one_line(run: Run) -> None:
    Path("lines.jsonl").write_bytes(b"\xff\xd8")
    status, out, err = run("batch", "lines.jsonl")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("mediarelay: a file can't be read")


def test_an_output_may_be_named(run: Run) -> None:
    assert run("say", "hello", "-o", "out/x.mp3")[0] == 0
    assert Path("out/x.mp3").read_bytes() == CONTENT


def test_json_is_the_event_alone_and_saves_nothing(run: Run) -> None:
    status, out, _ = run("say", "hello", "--json", "-q")
    event = json.loads(out)
    assert (status, event["status"], event["outputs"][0]["content_type"]) == (0, "succeeded", "audio/mpeg")
    assert not list(Path().glob("*.mp3"))


def test_a_failure_is_one_line_on_stderr_and_nothing_on_stdout(run: Run, stack: ClientStack) -> None:
    error = {"code": "no_provider", "message": "nobody makes opus", "retryable": False}
    stack.answer = lambda _: {"status": "rejected", "error": error}
    status, out, err = run("say", "hello", "--id", "x-1", "-q")
    assert (status, out) == (1, "")
    assert err == "mediarelay: rejected, no_provider: nobody makes opus ; mediarelay job x-1\n"


def test_an_error_as_json_says_what_to_do_next(run: Run) -> None:
    status, out, err = run("job", "nowhere", "--json")
    assert (status, out) == (3, "")
    assert json.loads(err)["error"] == {
        "code": "not_found",
        "message": "there is none",
        "retryable": False,
        "request_id": None,
        "next": "look at the id; mediarelay --help",
    }


def test_a_mistake_is_told_in_the_queues_words_before_anything_is_sent(run: Run, stack: ClientStack) -> None:
    status, _, err = run("say", "hello", "--voice", "no voice")
    assert status == 2
    assert err == "mediarelay: input.voice: must be 1 to 64 letters, digits, '_' or '-'\n"
    assert not stack.published


def test_wrong_usage_is_one_line(run: Run) -> None:
    status, _, err = run("say", "hello", "--speed", "fast")
    assert status == 2
    assert err.count("\n") == 1
    assert err.rstrip().endswith("; mediarelay say --help")


def test_no_token_is_exit_4(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIARELAY_API_TOKEN", "a-token-of-nobody")
    status, _, err = run("keys")
    assert status == 4
    assert err.startswith("mediarelay: the API refused us (401")


def test_a_wait_that_ends_prints_the_id_and_exits_6(run: Run, stack: ClientStack) -> None:
    stack.answer = lambda _: None
    status, out, err = run("say", "hello", "--id", "x-1", "--timeout", "0.1")
    assert (status, out) == (6, "x-1\n")
    assert "it goes on" in err


def test_no_wait_prints_the_id(run: Run) -> None:
    assert run("film", "waves", "--id", "x-1", "--no-wait") == (0, "x-1\n", "")


def test_job_and_cancel(run: Run, stack: ClientStack) -> None:
    run("say", "hello", "--id", "x-1")
    status, out, _ = run("job", "x-1")
    assert status == 0
    assert [line.split()[-1] for line in out.splitlines()[:2]] == ["published", "claimed"]
    assert run("cancel", "x-1", "x-2")[0] == 0
    assert stack.published[-2:] == [{"cancel": "x-1"}, {"cancel": "x-2"}]


def test_jobs_are_listed_page_after_page_as_many_as_are_asked_for(run: Run, stack: ClientStack) -> None:
    for number in range(5):
        run("say", "hello", "--id", f"x-{number}", "-o", f"{number}.mp3")
    stack.answer = lambda _: None
    run("say", "hello", "--id", "x-5", "--no-wait")
    status, out, _ = run("jobs")
    assert (status, [line.split("\t")[0] for line in out.splitlines()]) == (0, [f"x-{n}" for n in (5, 4, 3, 2, 1, 0)])
    assert out.splitlines()[1].split("\t")[:4] == ["x-4", "tts", "succeeded", "openai-tts"]
    lines = run("jobs", "--status", "succeeded", "--limit", "3", "--json")[1].splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == ["x-4", "x-3", "x-2"]
    assert run("jobs", "--since", "yesterday")[0] == 2


LETTERS = [
    {"request_id": "order-17", "code": "no_provider", "message": "nobody makes opus", "published": 0.0},
    {"request_id": "5c0e0000-long-id", "code": "none", "message": "", "published": 1.0},
]
CLASSES = [
    {"code": "no_provider", "count": 1, "oldest": 0.0, "first": "nobody makes opus"},
    {"code": "none", "count": 1, "oldest": 1.0, "first": ""},
]


def test_dead_letters_are_told_by_why_with_what_to_do(run: Run, stack: ClientStack) -> None:
    stack.told["dlq"] = {"now": 2.0, "looked_at": 2, "at_least": False, "classes": CLASSES, "letters": LETTERS}
    status, out, _ = run("dlq", "why")
    rows = [line.split("\t") for line in out.splitlines()]
    assert status == 0
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        ("no_provider", "1", "nobody makes opus", "add keys, then redrive"),
        (
            "(none)",
            "1",
            "the function died five times over it",
            "read the dispatch log first: mediarelay dlq why 5c0e00…",
        ),
    ]
    assert [line.split("\t")[0] for line in run("dlq", "ls")[1].splitlines()] == ["order-17", "5c0e0000-long-id"]
    assert run("dlq", "why", "order-17")[1].splitlines()[1:] == [
        "  add keys, then redrive",
        "  mediarelay job order-17",
    ]
    assert run("dlq", "why", "nowhere")[0] == 3


def test_a_redrive_looks_first_and_goes_on_until_nothing_is_moved(run: Run, stack: ClientStack) -> None:
    moved = {"dry_run": True, "looked_at": 17, "moved": ["order-17", "order-18"], "paid_already": []}
    stack.told["dlq/redrive"] = moved
    _, out, _ = run("dlq", "redrive", "--code", "no_provider", "--dry-run")
    assert out == ("  would move 2 of 17: order-17, order-18 · 0 of them have been paid for · nothing was changed\n")
    stack.told["dlq/redrive"] = [moved, {**moved, "looked_at": 15, "moved": [], "paid_already": ["order-9"]}]
    status, out, _ = run("dlq", "redrive", "--code", "no_provider", "--reason", "keys are there", "--json")
    assert (status, json.loads(out)) == (
        0,
        {"dry_run": False, "looked_at": 32, "moved": ["order-17", "order-18"], "paid_already": ["order-9"]},
    )
    one = {**moved, "looked_at": 1, "moved": ["order-18"]}
    stack.told["dlq/redrive"] = [{**moved, "moved": ["order-17"]}, {**moved, "looked_at": 2}, one]
    status, out, err = run("dlq", "redrive", "--code", "no_provider", "--reason", "keys are there")
    assert (status, out) == (0, "  moved 2 of 20: order-17, order-18 · 0 of them have been paid for\n")
    assert err == "  1 came back already: mediarelay dlq why\n" * 2
    assert run("dlq", "redrive", "--code", "no_provider")[0] == 2
    assert run("dlq", "drop", "order-17", "--reason", "told")[0] == 0


def test_a_request_that_its_record_keeps_is_asked_for_again_under_a_new_id(run: Run, stack: ClientStack) -> None:
    run("say", "hello", "--id", "x-1")
    assert run("retry", "x-1")[0] == 2
    stack.jobs["x-1"]["request"] = json.dumps({"kind": "tts", "input": {"text": "hello"}})
    status, out, _ = run("retry", "x-1")
    again = stack.published[-1]
    assert (status, out.strip(), again["input"]) == (0, again["request_id"], {"text": "hello"})
    assert again["request_id"] != "x-1"
    assert run("retry", "x-1", "--id", "x-1")[0] == 2


def test_what_is_under_way_is_bought_a_second_time_only_where_that_is_said(run: Run, stack: ClientStack) -> None:
    run("say", "hello", "--id", "x-1")
    stack.jobs["x-1"] |= {"request": json.dumps({"kind": "tts", "input": {"text": "hello"}}), "status": "running"}
    status, out, err = run("retry", "x-1")
    assert (status, out, len(stack.published)) == (2, "", 1)
    assert err == (
        "mediarelay: x-1 has not ended (running), so both would be bought ; mediarelay cancel x-1, or --anyway\n"
    )
    assert run("retry", "x-1", "--anyway")[0] == 0
    assert len(stack.published) == 2


def test_a_name_in_an_address_is_the_name_whatever_it_holds(run: Run, stack: ClientStack) -> None:
    assert run("dlq", "drop", "x#1/2?3", "--reason", "told")[0] == 0
    assert run("override", "clear", "provider:a\nb")[0] == 0
    assert [path.partition("?reason")[0] for path in stack.deleted if path.startswith("/api")] == [
        "/api/v1/dlq/x%231%2F2%3F3",
        "/api/v1/overrides/provider:a%0Ab",
    ]
    assert run("providers", "a\nb")[0] == 3


def test_voices_and_models_are_listed(run: Run, stack: ClientStack) -> None:
    voice = {"voice": "alloy", "provider": None, "gender": "neutral", "languages": ["*"], "at_home": ["openai-tts"]}
    stack.told["voices"] = {"voices": [{**voice, "plays": [], "default": False, "retires": None}]}
    assert run("voices")[1].split("\t")[:4] == ["alloy", "all; at home at openai-tts", "neutral", "every"]
    model = {"provider": "openai-tts", "model": "m", "default": True, "typical_seconds": 2.5, "retires": "2027-01-06"}
    stack.told["models"] = {"models": [{**model, "prices": {"per_minute": 0.015}}]}
    assert run("models")[1].strip().split("\t") == [
        "openai-tts",
        "m",
        "default",
        "2.5 s",
        "$0.015 per minute",
        "retires 2027-01-06",
    ]


def test_a_budget_is_set_and_told_in_words(run: Run, stack: ClientStack) -> None:
    stack.told["budgets"] = {"payer": "tenant:acme", "day_usd": 10.0, "month_usd": None}
    status, out, err = run("budget", "set", "tenant:acme", "--day", "10", "--reason", "their order")
    assert (status, out, err) == (0, "", "  tenant:acme may spend $10.00 a day, within a minute from now\n")
    assert run("budget", "set", "tenant:acme", "--day", "10")[0] == 2
    for amount in ("nan", "inf"):
        status, out, err = run("budget", "set", "stage", "--month", amount, "--reason", "x")
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_doctor_tells_where_each_value_is_from_and_no_secret(run: Run) -> None:
    status, out, err = run("doctor")
    assert status == 0
    assert TOKEN not in out + err
    assert "the environment" in out


def test_login_keeps_a_token_for_the_owner_alone(run: Run, stack: ClientStack, tmp_path: Path) -> None:
    stack.answer = lambda _: None
    assert run("login", "--token", "a-token-of-nobody")[0] == 4
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_begins_with_three_examples(run: Run, name: str) -> None:
    status, out, _ = run(name, "--help")
    assert status == 0
    assert out.startswith(f"Usage: mediarelay {name}")
    if name not in {"budget", "callbacks", "dlq", "events", "override"}:
        assert sum(line.strip().startswith(("mediarelay ", "source ", "curl ")) for line in out.splitlines()) >= 3


def test_help_and_completion_import_nothing_that_takes_long() -> None:
    program = """
import os, sys
from mediarelay_client.command import main
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
main(["--help"]), main(["completion", "bash"]), main(["say", "--help"])
print(*({"pydantic", "httpx", "boto3", "botocore", "asyncio"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(client.__file__).parents[1],
    )
    assert done.stderr.split() == []


def test_where_openais_sdks_are_served_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _, err = run("url", "openai")
    assert (status, err.count("\n")) == (3, 1), "nothing says where"
    monkeypatch.setenv("MEDIARELAY_OPENAI_URL", "https://x.lambda-url.eu-central-1.on.aws/v1")
    assert run("url", "openai")[:2] == (0, "https://x.lambda-url.eu-central-1.on.aws/v1\n")
    assert run("url")[1] == run("url", "api")[1]


def test_the_console_is_opened_at_a_view(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIARELAY_API_URL", "https://api.example.com/")
    monkeypatch.setenv("MEDIARELAY_API_TOKEN", "t0ken-&")
    assert run("open", "--print")[1].strip().endswith("/#token=t0ken-%26")
    assert run("open", "jobs/order 17", "--print")[1].strip().endswith("/#/jobs/order%2017?token=t0ken-%26")


GIVEN_UP = {
    "request_id": "acme!order-17",
    "published_id": "order-17",
    "tenant": "acme",
    "callback_url": "https://hooks.example.com/media",
    "callback": {"state": "failed", "tries": 8, "last_status": 500, "last_fault": "refused"},
}


def test_callbacks_that_failed_are_listed_explained_and_tried_anew(run: Run, stack: ClientStack) -> None:
    waiting = {**GIVEN_UP, "request_id": "o-2", "callback": {"state": "waiting", "tries": 1, "last_fault": "refused"}}
    well = {"request_id": "o-3", "callback_url": GIVEN_UP["callback_url"]}
    page = [{"job": each["request_id"], "settled_at": 1} for each in (GIVEN_UP, waiting, well)]
    stack.told["jobs"] = {"items": page, "next_cursor": None, "has_more": False}
    stack.told["jobs/lookup"] = {"jobs": [GIVEN_UP, waiting, well], "missing": []}
    assert [line.split("\t")[:3] for line in run("callbacks", "ls")[1].splitlines()] == [
        ["acme!order-17", "failed", "8"],
        ["o-2", "waiting", "1"],
    ]
    assert len(run("callbacks", "ls", "--failed", "--json")[1].splitlines()) == 1
    stack.told["jobs/order-17"] = {"request_id": "order-17", "jobs": [GIVEN_UP]}
    assert "last: HTTP 500; it answered, and not with 2xx" in run("callbacks", "why", "order-17")[1]
    stack.told["jobs/order-17/tell"] = {"event_ids": ["order-17@5"]}
    status, out, _ = run("callbacks", "replay", "--since", "2d", "--reason", "back", "--json")
    assert (status, json.loads(out)) == (0, {"request_id": "order-17", "event_ids": ["order-17@5"]})
    assert run("callbacks", "replay", "--reason", "back")[0] == 2


def test_an_event_is_sent_again(run: Run, stack: ClientStack) -> None:
    stack.told["jobs/order-17/tell"] = {"event_ids": ["order-17@5"]}
    status, _, err = run("events", "resend", "order-17", "--reason", "away")
    assert (status, "order-17: order-17@5" in err) == (0, True)
    assert run("events", "resend", "order-17")[0] == 2
