"""The shipped state machine, as a document: nothing dangles, nothing waits for ever, every error name is real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mediarelay.keys import parsing as keys
from mediarelay.long_jobs.execution_state import NextStep
from mediarelay.long_jobs.webhooks.dynamodb import PARTITION
from mediarelay.vocabulary import errors
from tests.harness.long_jobs.asl import DEFINITION
from tests.harness.template import load_template

STATES: dict[str, dict[str, Any]] = DEFINITION["States"]
INVOKE = "arn:aws:states:::lambda:invoke"
TASKS = {name: state for name, state in STATES.items() if state.get("Resource") == INVOKE}
(WAITING,) = (state for state in STATES.values() if state["Type"] == "Task" and state["Resource"] != INVOKE)
# Named by Step Functions and Lambda, not by us.
AWS_ERRORS = {
    *("Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"),
    *("Lambda.TooManyRequestsException", "Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"),
    *("States.Timeout", "States.ALL"),
}
THROTTLED = "Lambda.TooManyRequestsException"
OURS = {**vars(errors), **vars(keys)}


def targets(state: dict[str, Any]) -> Iterator[str]:
    """Every state that can follow."""
    yield from (state[field] for field in ("Next", "Default") if field in state)
    yield from (rule["Next"] for rule in (*state.get("Choices", []), *state.get("Catch", [])))


def rules(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [*state.get("Retry", []), *state.get("Catch", [])]


def test_every_next_exists_and_every_state_is_reached() -> None:
    followed = {target for state in STATES.values() for target in targets(state)}
    assert followed - STATES.keys() == set()
    assert STATES.keys() - followed == set(), "a state that nothing leads to"


def test_every_state_but_the_end_leads_somewhere() -> None:
    assert [name for name, state in STATES.items() if not list(targets(state))] == ["Done"]
    assert STATES["Done"] == {"Type": "Succeed"}


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_timeout_beyond_its_functions_own(name: str) -> None:
    substitution = TASKS[name]["Parameters"]["FunctionName"].removeprefix("${").removesuffix("Arn}")
    timeout = load_template()["Resources"][substitution]["Properties"]["Timeout"]
    assert timeout < TASKS[name]["TimeoutSeconds"] < 1000


def test_the_machine_outlasts_the_longest_deadline_and_the_longest_fetch() -> None:
    day = 24 * 3600
    assert DEFINITION["TimeoutSeconds"] >= day + 6 * day + day / 2


@pytest.mark.parametrize("name", TASKS)
def test_every_error_name_exists(name: str) -> None:
    named = {error for rule in rules(TASKS[name]) for error in rule["ErrorEquals"]}
    assert named
    unknown = {error for error in named - AWS_ERRORS if not issubclass(OURS.get(error, int), errors.MediaRelayError)}
    assert unknown == set()


@pytest.mark.parametrize("name", TASKS)
def test_every_retry_is_bounded_capped_and_jittered(name: str) -> None:
    retries = TASKS[name]["Retry"]
    assert retries
    for rule in retries:
        assert rule["JitterStrategy"] == "FULL"
        assert rule["MaxDelaySeconds"] <= 300
        assert 0 < rule["MaxAttempts"] <= (300 if rule["ErrorEquals"] == [THROTTLED] else 20)


@pytest.mark.parametrize("name", TASKS)
def test_a_function_that_is_throttled_is_asked_for_hours(name: str) -> None:
    """It has not run, and a job that the vendor has taken is paid for: other jobs' load must not end it."""
    (rule,) = (rule for rule in TASKS[name]["Retry"] if THROTTLED in rule["ErrorEquals"])
    at_full_length = rule["MaxAttempts"] - 6
    assert at_full_length * rule["MaxDelaySeconds"] / 2 > 2 * 3600


def test_whatever_else_happens_ends_in_the_one_terminal_catch() -> None:
    caught = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Settle failed job"}]
    assert {name: state.get("Catch") for name, state in TASKS.items()} == {
        "Submit job": caught,
        "Poll job": caught,
        "Settle job": caught,
        "Settle failed job": None,
    }


def test_the_choice_knows_exactly_the_words_that_the_functions_say() -> None:
    said = {rule["StringEquals"] for rule in STATES["What next?"]["Choices"]}
    assert said == {step.value for step in NextStep}


def test_waits_come_from_the_data() -> None:
    waits = [state for state in STATES.values() if state["Type"] == "Wait"]
    assert [state["SecondsPath"] for state in waits] == ["$.job.wait_seconds"] * 3


def test_a_poll_costs_three_transitions() -> None:
    """Wait, poll, decide; and from the decision straight back to the wait."""
    assert STATES["Wait for the provider"]["Next"] == "Poll job"
    assert STATES["Poll job"]["Next"] == "What next?"
    again = [r["Next"] for r in STATES["What next?"]["Choices"] if r["StringEquals"] == NextStep.WAIT_TO_POLL]
    assert again == ["Wait for the provider"]
    told = [r["Next"] for r in STATES["What next?"]["Choices"] if r["StringEquals"] == NextStep.WAIT_TO_BE_TOLD]
    assert [STATES[name] for name in told] == [WAITING]


def test_to_be_told_is_waited_for_as_long_as_for_a_poll_and_then_polled_as_ever() -> None:
    """The webhook only shortens the wait: called, timed out, or with no token kept, the job is polled all the same."""
    assert WAITING["Resource"].endswith(".waitForTaskToken")
    assert WAITING["TimeoutSecondsPath"] == STATES["Wait for the provider"]["SecondsPath"]
    assert WAITING["Next"] == "Poll job"
    assert WAITING["Catch"] == [
        {"ErrorEquals": ["States.Timeout"], "ResultPath": None, "Next": "Poll job"},
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Wait for the provider"},
    ]
    assert WAITING["ResultPath"] is None, "what the caller says is not believed"


def test_tokens_are_kept_where_the_webhooks_function_looks_for_them() -> None:
    item = WAITING["Parameters"]["Item"]
    assert item["pk"] == {"S": PARTITION}
    assert set(item) == {"pk", "sk", "token", "ttl"}


def test_every_substitution_is_filled_by_the_template() -> None:
    filled = load_template()["Resources"]["MediaJobStateMachine"]["Properties"]["DefinitionSubstitutions"]
    used = {state["Parameters"]["FunctionName"][2:-1] for state in TASKS.values()}
    assert {*used, WAITING["Parameters"]["TableName"][2:-1]} == set(filled)
    assert json.dumps(DEFINITION).count("${") == len(TASKS) + 1
