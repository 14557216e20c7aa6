"""The shipped state machine of long texts, as a document: nothing dangles, nothing waits for ever."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediarelay.long_speech.speech_state import PartTask, SpeechStep
from tests.harness.long_jobs.asl import DEFINITION
from tests.harness.long_jobs.speeches import MACHINE
from tests.harness.template import load_template

STATES: dict[str, dict[str, Any]] = MACHINE["States"]
MAP = STATES["Speak parts"]
PART: dict[str, dict[str, Any]] = MAP["ItemProcessor"]["States"]
TASKS = {name: state for name, state in {**STATES, **PART}.items() if state["Type"] == "Task"}


def targets(state: dict[str, Any]) -> list[str]:
    """Every state that can follow."""
    named = [state[field] for field in ("Next", "Default") if field in state]
    return [*named, *(rule["Next"] for rule in (*state.get("Choices", []), *state.get("Catch", [])))]


@pytest.mark.parametrize("states", [STATES, PART], ids=["whole", "part"])
def test_every_next_exists_and_every_state_is_reached(states: dict[str, dict[str, Any]]) -> None:
    followed = {target for state in states.values() for target in targets(state)}
    assert followed == states.keys() - ({"Speak part", "Steer speech"} - followed)
    assert [name for name, state in states.items() if not targets(state)] == [list(states)[-1]]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_timeout_beyond_its_functions_own(name: str) -> None:
    template = load_template()
    function = TASKS[name]["Parameters"]["FunctionName"].removeprefix("${").removesuffix("Arn}")
    timeout = template["Resources"][function]["Properties"]["Timeout"]
    if not isinstance(timeout, int):
        *_, key = timeout["Fn::FindInMap"]
        timeout = max(timing[key] for timing in template["Mappings"]["Timing"].values())
    assert timeout < TASKS[name]["TimeoutSeconds"] < 1000


@pytest.mark.parametrize("name", TASKS)
def test_errors_are_met_as_those_of_the_other_machine_are(name: str) -> None:
    like = "Settle failed job" if name == "Settle failed speech" else "Settle job"
    assert TASKS[name]["Retry"] == DEFINITION["States"][like]["Retry"]


def test_whatever_else_happens_ends_in_the_one_terminal_catch_and_a_part_leaves_the_others_alone() -> None:
    caught = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Settle failed speech"}]
    left = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Part is over"}]
    assert STATES["Steer speech"]["Catch"] == MAP["Catch"] == caught
    assert PART["Speak part"]["Catch"] == left
    assert "Catch" not in STATES["Settle failed speech"]


def test_the_choices_know_exactly_the_words_that_the_functions_say() -> None:
    said = {rule["StringEquals"] for rule in STATES["What next?"]["Choices"]}
    assert said == {step.value for step in SpeechStep}
    assert [rule["StringEquals"] for rule in PART["What next for the part?"]["Choices"]] == [SpeechStep.WAIT.value]


def test_a_part_is_handed_all_that_its_function_reads() -> None:
    handed = {name.removesuffix(".$") for name in MAP["ItemSelector"]}
    assert handed == {name for name, field in PartTask.model_fields.items() if field.is_required()}


def test_what_parts_come_to_is_not_carried_since_it_stands_in_their_records() -> None:
    assert MAP["ResultPath"] is None
    assert MAP["Next"] == "Steer speech"


def test_the_machine_outlasts_the_longest_deadline() -> None:
    assert MACHINE["TimeoutSeconds"] >= 24 * 3600 + 12 * 3600


def test_every_substitution_is_filled_by_the_template() -> None:
    filled = load_template()["Resources"]["LongSpeechStateMachine"]["Properties"]["DefinitionSubstitutions"]
    assert {state["Parameters"]["FunctionName"][2:-1] for state in TASKS.values()} == set(filled)
    assert json.dumps(MACHINE).count("${") == len(TASKS)
