"""Two tenants may use one id: neither sees, blocks, cancels, adopts or pays for what is the other's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest

from mediarelay.announce.announcing import result_event
from mediarelay.api.access import Caller
from mediarelay.api.job_views import JobReader
from mediarelay.api.tokens import Role
from mediarelay.job_records.claims import Group
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import job_key
from mediarelay.long_jobs.start import names
from mediarelay.request.bounds import plain_key
from mediarelay.results.result_store import prefix_of
from mediarelay.vocabulary.kinds import JobStatus, Kind
from tests.builders.requests import EPOCH_MS, claim, message, tts, video
from tests.doubles.jobs import MemorySpeechJobs
from tests.harness.bench import Bench
from tests.harness.long_jobs.speeches import SpeechBench
from tests.harness.long_jobs.workflow import Bench as ClipBench

SPEECH: dict[str, Any] = {"request_id": "order-17", "providers": ["openai-tts", "elevenlabs-tts"]}
CLIP: dict[str, Any] = {"request_id": "order-17", "providers": ["kling-video"]}
TENANTS = ("acme", "globex", None)


def event(record: JobRecord | None) -> Any:
    assert record is not None
    return result_event(record, lambda key: (key, key), 0.0)


@pytest.mark.parametrize("strategy", ["ordered", "all"])
def test_each_tenant_gets_what_it_asked_for_under_its_own_id(strategy: str) -> None:
    bench = Bench()
    for number, tenant in enumerate(TENANTS):
        bench.handle(tts(f"for {tenant}", **SPEECH, strategy=strategy, tenant=tenant), message_id=f"message-{number}")
    assert bench.causes() == []
    branches = [f"#{name}" for name in SPEECH["providers"]] if strategy == "all" else [""]
    events = [
        event(bench.world.jobs.get(f"{job_key('order-17', tenant)}{end}")) for tenant in TENANTS for end in branches
    ]
    assert {each.status for each in events} == {JobStatus.SUCCEEDED}
    assert {(each.request_id, each.tenant) for each in events} == {("order-17", tenant) for tenant in TENANTS}
    assert {each.job_id for each in events} == {f"order-17{end}" for end in branches}
    assert len({each.event_id for each in events}) == len(events), "one in which nothing is told twice"
    assert len({output.s3_uri for each in events for output in each.outputs}) == len(events)


def test_another_request_of_the_same_tenant_is_a_conflict_that_names_the_published_id() -> None:
    bench = Bench()
    bench.handle(tts("one text", **SPEECH, tenant="acme"))
    bench.handle(tts("another text", **SPEECH, tenant="acme"), message_id="message-2")
    assert bench.causes() == ["idempotency_conflict"]
    refused = event(bench.world.jobs.get("acme!message-2"))
    assert (refused.request_id, refused.job_id, refused.tenant) == ("order-17", "message-2", "acme")
    assert "acme" not in refused.error.message


def test_a_refused_request_of_one_tenant_takes_no_id_from_another() -> None:
    bench = Bench()
    bench.handle({"kind": "tts", "request_id": "order-17", "tenant": "acme", "input": {}})
    assert event(bench.world.jobs.get("acme!order-17")).request_id == "order-17"
    assert bench.served(tts(**SPEECH), message_id="message-2").status is JobStatus.SUCCEEDED


def test_clips_of_two_tenants_run_side_by_side_and_each_is_cancelled_by_its_own() -> None:
    bench = ClipBench()
    for number, tenant in enumerate(TENANTS):
        bench.publish(video(**CLIP, tenant=tenant), message_id=f"message-{number}")
    executions = bench.executions.started
    assert list(executions) == ["acme!order-17", "globex!order-17", "order-17"]
    for name in executions:
        bench.execute_until(name, "Wait for the provider")
    held = [job for jobs in bench.slots.holders.values() for job in jobs]
    assert sorted(held) == sorted(executions), "each holds a slot of its own"
    assert len(bench.vendors.tasks) == 3
    bench.publish({"cancel": "order-17", "tenant": "globex"}, message_id="message-9")
    ended = {tenant: bench.record(job_key("order-17", tenant)).status.settled for tenant in TENANTS}
    assert ended == {"acme": False, "globex": True, None: False}


def test_the_parts_of_long_texts_are_their_tenants() -> None:
    bench = SpeechBench()
    text = "The keeper of the lighthouse counts the ships, and writes each of them down. " * 60
    asked = tts(text, input={"format": "wav"}, request_id="job-1", providers=["openai-tts"])
    for tenant in ("acme", "globex"):
        bench.publish({**asked, "tenant": tenant})
    for name in list(bench.speeches.started):
        bench.execute(name)
    records = [bench.record(f"{tenant}!job-1") for tenant in ("acme", "globex")]
    assert [record.status for record in records] == [JobStatus.SUCCEEDED] * 2
    assert records[0].cost_usd == pytest.approx(records[1].cost_usd)
    assert records[0].outputs[0].key != records[1].outputs[0].key
    assert {part.request_id.partition("!")[0] for part in bench.parts()} == {"acme", "globex"}


# --- the key ------------------------------------------------------------------------------------------------------

FORGED = ("acme!order-17", "order-17#kling-video", "order-17/0001-0123abcd", "", "x" * 65)


@pytest.mark.parametrize("forged", FORGED)
def test_no_id_that_a_message_carries_is_the_key_of_anothers_job(forged: str) -> None:
    bench = Bench()
    bench.handle(message(tts(), attributes={"mediarelay_request_id": forged}))
    assert list(MemorySpeechJobs.all(bench.world.jobs)) == ["message-1"]  # type: ignore[arg-type]  # the world's fake


@pytest.mark.parametrize("field", ["request_id", "tenant"])
def test_neither_an_id_nor_a_tenant_may_have_the_separator(field: str) -> None:
    bench = Bench()
    bench.handle(tts(**{"request_id": "order-17", "tenant": "acme", field: "a!b"}))
    assert bench.causes() == ["invalid_request"]


KEYS = [
    f"{job_key('order-17', tenant)}{branch}"
    for tenant in (None, "a:b", "a.b", "a", "x" * 64, "x" * 63 + ":", "order-17", "a@kling-video")
    for branch in ("", "#kling-video", "#fal-kling")
]


def test_no_two_jobs_share_the_name_of_an_execution_or_a_folder() -> None:
    assert len({name for key in KEYS for name in names(key, EPOCH_MS)}) == 2 * len(KEYS)
    assert len({prefix_of(Kind.VIDEO, EPOCH_MS, key) for key in KEYS}) == len(KEYS)


def test_step_functions_takes_every_name() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html, read 2026-11-28."""
    found = {name for key in KEYS for name in names(key, EPOCH_MS)}
    assert not any(set(name) & set('<>{}[]?*"#%\\^|~`$&,;:/ ') for name in found)
    assert max(map(len, found)) <= 80


def test_a_request_without_a_tenant_keeps_its_key() -> None:
    assert (job_key("order-17", None), plain_key("order-17#kling-video")) == ("order-17", "order-17#kling-video")


# --- jobs that were begun before each tenant had ids of its own -----------------------------------------------------


def in_flight(bench: Bench, body: dict[str, Any], *ids: str) -> None:
    """Served by a version that wrote it under the plain id, and settled."""
    bench.handle(body)
    jobs = bench.world.jobs
    assert isinstance(jobs, MemorySpeechJobs)
    for job_id in ids:
        record = jobs._records.pop(f"acme!{job_id}")
        jobs._records[job_id] = record.model_copy(update={"request_id": job_id})


@pytest.mark.parametrize("strategy", ["ordered", "all"])
@pytest.mark.parametrize("groups", [True, False], ids=["a version with groups", "one without"])
def test_what_an_earlier_version_served_is_not_bought_again(strategy: str, *, groups: bool) -> None:
    bench, body = Bench(), tts(**SPEECH, strategy=strategy, tenant="acme")
    branches = [f"order-17#{name}" for name in SPEECH["providers"]]
    in_flight(
        bench, body, *(["order-17"] if strategy == "ordered" else ["order-17", *branches] if groups else branches)
    )
    calls = len(bench.http.calls)
    bench.handle(message(body, receive_count=2))
    assert (len(bench.http.calls), bench.causes()) == (calls, [])


def test_another_request_under_an_id_that_an_earlier_version_served_is_a_conflict() -> None:
    for first, second in (("ordered", "all"), ("all", "ordered")):
        bench = Bench()
        branches = [f"order-17#{name}" for name in SPEECH["providers"]] if first == "all" else []
        in_flight(bench, tts(**SPEECH, strategy=first, tenant="acme"), "order-17", *branches)
        calls = len(bench.http.calls)
        bench.handle(tts("another", **SPEECH, strategy=second, tenant="acme"), message_id="message-2")
        assert (bench.causes(), len(bench.http.calls)) == (["idempotency_conflict"], calls)


def test_what_an_earlier_version_served_for_one_tenant_does_not_stand_in_anothers_way() -> None:
    bench = Bench()
    in_flight(bench, tts(**SPEECH, tenant="acme"), "order-17")
    assert bench.served(tts(**SPEECH, tenant="globex"), message_id="message-2").status is JobStatus.SUCCEEDED


def test_a_job_that_an_earlier_version_deferred_is_served_under_its_old_key() -> None:
    bench = Bench()
    asked = tts(**SPEECH, tenant="acme")
    in_flight(bench, asked, "order-17")
    jobs: Any = bench.world.jobs
    settled = jobs._records["order-17"]
    jobs._records["order-17"] = settled.model_copy(update={"status": JobStatus.DEFERRED, "settled_at": None})
    calls = len(bench.http.calls)
    bench.handle(replace(message(asked), receive_count=2))
    record = jobs.get("order-17")
    assert (record.status, len(bench.http.calls)) == (JobStatus.SUCCEEDED, calls + 1)
    assert jobs.get("acme!order-17") is None


def test_a_clip_that_an_earlier_version_started_is_cancelled_by_its_tenant() -> None:
    bench = ClipBench()
    asked = claim("order-17", kind=Kind.VIDEO, tenant="acme", received_at=EPOCH_MS)
    bench.publish(video(**CLIP, tenant=None))
    jobs: Any = bench.world.jobs
    jobs._records["order-17"] = jobs._records["order-17"].model_copy(update={"tenant": asked.tenant})
    bench.publish({"cancel": "order-17", "tenant": "acme"}, message_id="message-2")
    error = bench.record("order-17").error
    assert error is not None
    assert error.code == "cancelled"


def test_a_request_without_a_tenant_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, asked = Bench(), list[str]()
    monkeypatch.setattr(MemorySpeechJobs, "get", lambda _self, key: asked.append(key))
    bench.handle(tts(**SPEECH))
    assert asked == ["order-17"], "by this test itself"
    bench.handle(tts(**SPEECH, tenant="acme"), message_id="message-2")
    assert asked == ["order-17", "order-17", "acme!order-17"], "one more for a tenant's"


def test_groups_are_a_tenants() -> None:
    jobs = MemorySpeechJobs()
    group = Group("acme!order-17", Kind.TTS, "content-1", EPOCH_MS, 0, 0, ["openai-tts"], "acme")
    assert jobs.open_group(group) is None
    assert jobs.open_group(replace(group, request_id="globex!order-17", fingerprint="content-2")) is None


@pytest.mark.parametrize(
    ("tenant", "keys"), [("acme", ["acme!order-17"]), ("globex", ["order-17"]), (None, ["order-17"])]
)
def test_operators_see_the_job_of_the_tenant_they_name(tenant: str | None, keys: list[str]) -> None:
    """The one at the plain id is of a version that knew no tenants."""
    jobs = MemorySpeechJobs()
    for key, owner in (("order-17", "globex"), ("acme!order-17", "acme")):
        jobs.claim(claim(key, tenant=owner))
    unused: Any = None
    notes: Any = Mock()
    notes.load = lambda keys, consistent: {key: record for key in keys if consistent and (record := jobs.get(key))}
    found = JobReader(notes, unused, ()).find("order-17", tenant, Caller("ann", Role.OPERATOR))
    assert [job.request_id for job in found.jobs] == keys
