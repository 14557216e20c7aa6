"""What a stack has that works and has an outage: ten providers, keys, jobs, money, alerts and dead letters."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mediarelay.alerts.contract import Alert, Evidence, Severity
from mediarelay.alerts.dynamodb import DynamoAlertLog
from mediarelay.aws.stores import to_item
from mediarelay.health.circuit.record import Circuit
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.incident import Event
from mediarelay.health.judgement import Status
from mediarelay.health.records import fresh_record
from mediarelay.job_records.job_spec import listed
from mediarelay.keys.contract import PoolKey, PoolState
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.metrics.series.dynamodb import DynamoSeries
from mediarelay.metrics.series.rolling import SPAN_SECONDS, SPANS, Point, Series
from mediarelay.metrics.tally import LastError
from mediarelay.vocabulary.outcome import Outcome
from tests.harness.local_aws import BUCKET, JOBS, TELEMETRY, USAGE, LocalAws

BUSY: Final = ("openai-tts", "elevenlabs-tts", "gemini-tts", "polly-tts", "openai-image", "fal-flux", "kling-video")
DOWN: Final = "openai-tts"
# What a publisher might try, in whatever it may write.
HOSTILE: Final = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


class Scene:
    """Written at a moment (unix seconds), by adapters where there are some."""

    def __init__(self, aws: LocalAws, now: float) -> None:
        self.aws = aws
        self.now = now
        self.dice = random.Random(19)

    def play(self) -> None:
        """Write everything."""
        self.health()
        self.keys()
        self.alerts()
        self.jobs()
        self.money()
        self.dead_letters()

    def health(self) -> None:
        """One provider is down, one is slow, the others are well."""
        store, names = DynamoHealth(self.aws.dynamodb, TELEMETRY), list(BUSY)
        for number, name in enumerate(names):
            record = fresh_record(name, now=self.now - 7200)
            figures: dict[str, Any] = {
                "status": Status.HEALTHY,
                "reason": "99.6 % of its calls succeeded",
                "samples": 40 + 30 * number,
                "success_rate": 0.996,
                "p50_ms": 812.0 + 90 * number,
                "p95_ms": 1411.0 + 200 * number,
                "counts": {Outcome.DELIVERED: 39 + 30 * number, Outcome.THROTTLED: 3},
            }
            if name == DOWN:
                figures |= {
                    "status": Status.DOWN,
                    "since": self.now - 240,
                    "reason": "7 % of 40 calls succeeded in the last five minutes",
                    "success_rate": 0.07,
                    "circuit": Circuit(self.now - 240, self.now + 45, 2),
                    "counts": {Outcome.DELIVERED: 3, Outcome.PROVIDER_FAULT: 37, Outcome.THROTTLED: 6},
                    "last_error": LastError(round(self.now * 1000) - 4000, "provider_fault", "server_error", 500),
                    "faults_by_model": {"gpt-4o-mini-tts": 37},
                }
            if name == "kling-video":
                figures |= {"status": Status.DEGRADED, "success_rate": 0.82, "p50_ms": 118_000.0, "p95_ms": 190_000.0}
            assert store.save(record.model_copy(update=figures))
        until = round(self.now) - round(self.now) % SPAN_SECONDS
        points = {name: self._points(name, until) for name in names}
        DynamoSeries(self.aws.dynamodb, TELEMETRY).save(Series(until, points))

    def _points(self, name: str, until: int) -> list[Point]:
        found = []
        for at in range(SPANS):
            done = self.dice.randrange(30, 60)
            if name == DOWN and at >= SPANS - 3:
                found.append(Point(until - (SPANS - at) * SPAN_SECONDS, 3, 38, 4, 2100, 9800))
            else:
                more = 40 if name == "elevenlabs-tts" and at >= SPANS - 3 else 0
                faults = int(self.dice.random() < 0.08)
                found.append(
                    Point(until - (SPANS - at) * SPAN_SECONDS, done + more, faults, done // 20, 812, 1411 + done)
                )
        return found

    def keys(self) -> None:
        """A pool of each vendor; one key cools, one is rejected."""
        pools, states = DynamoPools(self.aws.dynamodb, TELEMETRY), DynamoKeyStates(self.aws.dynamodb, TELEMETRY)
        for number, vendor in enumerate(("openai", "elevenlabs", "gemini", "fal", "kling")):
            members = [
                PoolKey(key_id=f"{self.dice.getrandbits(48):012x}", account=("studio", "spare")[each % 2])
                for each in range(2 + number % 3)
            ]
            at = {"since": self.now, "at": self.now}
            size = len(members)
            pools.save(PoolState(vendor=vendor, status="usable", keys=size, usable=size, members=members, **at))
            if vendor == "fal":
                self._verdict(states, vendor, members[0], KeyStatus.COOLING, self.now + 3600, "rate_limited")
            if vendor == "gemini":
                self._verdict(states, vendor, members[1], KeyStatus.REJECTED, None, "invalid_key")

    def _verdict(
        self, states: DynamoKeyStates, vendor: str, key: PoolKey, status: KeyStatus, until: float | None, code: str
    ) -> None:
        states.save(KeyVerdict(vendor, key.key_id, None, None, status, until, 1, code, self.now - 60, spreads=False))

    def alerts(self) -> None:
        """One incident is open, one is over."""
        log = DynamoAlertLog(self.aws.dynamodb, TELEMETRY)
        for number, (subject, event, age, words) in enumerate(
            [
                ("kling-video", Event.OPENED, 9000, "kling-video is degraded: 82 % of 11 calls"),
                ("kling-video", Event.RESOLVED, 8000, "kling-video is healthy again after 16 m 40 s"),
                (DOWN, Event.OPENED, 240, f"{DOWN} is down: 7 % of 40 calls"),
            ]
        ):
            at = self.now - age
            log.add(
                Alert(
                    alert_id=f"{round(at * 1000):015d}-{number}",
                    incident_id=f"{subject}-{'1' if subject == DOWN else '0'}",
                    event=event,
                    subject=f"provider:{subject}",
                    severity=Severity.INFO if event is Event.RESOLVED else Severity.CRITICAL,
                    provider=subject,
                    vendor=subject.partition("-")[0],
                    status="healthy" if event is Event.RESOLVED else "down",
                    previous_status="healthy",
                    at=at,
                    opened_at=self.now - (240 if subject == DOWN else 9000),
                    summary=words,
                    reason="500s of its speech endpoint",
                    what_to_do="Nothing, as long as others serve: it is tried again by itself.",
                    evidence=Evidence(samples=40, success_rate=0.07, p95_ms=9800.0, queued_requests=12),
                )
            )

    def job(self, request_id: str, age: float, **fields: Any) -> None:
        """One job, as claims and settlements write it."""
        received = round((self.now - age) * 1000)
        known: dict[str, Any] = {"request_id": request_id, "received_at": received, "fingerprint": "0123456789abcdef"}
        known["listed"] = listed(request_id, received)
        self.aws.dynamodb.put_item(TableName=JOBS, Item=to_item({**known, **fields}))

    def ids(self) -> list[str]:
        """Of all jobs."""
        return [item["request_id"]["S"] for item in self.aws.items(JOBS)]

    def jobs(self) -> None:
        """A picture after a 429, a hostile request, one at work, one that failed."""
        received = round((self.now - 90) * 1000)
        refused = {"provider": "openai-image", "key_id": "3f1c9a0be4d1", "outcome": "throttled", "latency_ms": 400}
        attempt = {"provider": "openai-image", "key_id": "a71b22c0ffee", "outcome": "delivered", "latency_ms": 28600}
        self.job(
            "order-17",
            90,
            status="succeeded",
            kind="image",
            provider="openai-image",
            model="gpt-image-2",
            claimed_at=received + 30,
            claims=1,
            settled_at=received + 31_100,
            queue_ms=30,
            latency_ms=31_070,
            cost_usd=0.041,
            attempts=[
                {**refused, "status": 429, "code": "rate_limited", "started_at": received + 50},
                {**attempt, "status": 200, "started_at": received + 2500},
            ],
            history=[[received + 470, "deferred", str(received + 2000)]],
            excerpt="a lighthouse at dusk, in the manner of a woodcut",
            outputs=[self._picture("image/2026/11/28/order-17/openai-image-0.png")],
            purchases=[self._purchase("openai-image", "gpt-image-2", 0.041, received)],
            expires_at=round(self.now) + 300,
            metadata={"order": 17},
        )
        self.job(
            "hostile-<img src=x onerror=alert(1)>",
            80,
            status="failed",
            kind="tts",
            model=HOSTILE,
            voice=HOSTILE,
            provider="openai-tts",
            metadata={HOSTILE: HOSTILE},
            error={"code": "invalid_request", "message": HOSTILE, "retryable": False},
            warnings=[HOSTILE],
            settled_at=received + 15_000,
        )
        self.job("order-18", 30, status="running", kind="tts", claimed_at=round((self.now - 29) * 1000))
        error = {"code": "no_provider", "message": "no provider makes opus", "retryable": True}
        self.job("order-19", 600, status="rejected", kind="tts", error=error, settled_at=received)

    def _purchase(self, provider: str, model: str, cost: float, at: int) -> Mapping[str, Any]:
        known = {"provider": provider, "model": model, "key_id": "a71b22c0ffee", "state": "charged", "at": at}
        return {**known, "estimate_usd": cost, "cost_usd": cost}

    def _picture(self, key: str) -> Mapping[str, Any]:
        assert self.aws.s3
        self.aws.s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
        return {"key": key, "content_type": "image/png", "bytes": 2_100_000, "sha256": "ab12" * 16}

    def money(self) -> None:
        """Totals of three weeks."""
        today = datetime.fromtimestamp(self.now, UTC).date()
        for age in range(21):
            day = (today - timedelta(days=age)).isoformat()
            for provider, model, tenant, price in (
                ("openai-tts", "gpt-4o-mini-tts", "acme", 0.0015),
                ("elevenlabs-tts", "eleven_multilingual_v2", "acme", 0.009),
                ("openai-image", "gpt-image-2", "", 0.041),
                ("kling-video", "kling-v2-6", "studio", 0.21),
            ):
                jobs = self.dice.randrange(20, 90)
                charged = {"charged": round(price * jobs * 1e9), "milliseconds": jobs * 900}
                perhaps = {"uncertain": 2, "perhaps_charged": 420_000_000} if age == 0 and tenant == "studio" else {}
                counts = {"jobs": jobs, "succeeded": jobs - 1, "failed": 1, "purchases": jobs}
                item = {"pk": f"DAY#{day}", "sk": f"{tenant}#{provider}#{model}#0", **counts, **charged, **perhaps}
                self.aws.dynamodb.put_item(TableName=USAGE, Item=to_item(item))

    def dead_letters(self) -> None:
        """Two classes, and one message without a cause."""
        causes = [("no_provider", "no provider makes opus without a key of openai")] * 4
        causes += [("invalid_request", f"input.speed: {HOSTILE}")] * 2
        for number, (code, words) in enumerate(causes):
            body = {"kind": "tts", "request_id": f"dead-{number}", "input": {"text": "hello"}}
            attributes = {"error_code": code, "error_message": words}
            self.aws.sqs.send_message(
                QueueUrl=self.aws.dlq_url,
                MessageBody=json.dumps(body),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
                },
            )
        self.aws.sqs.send_message(QueueUrl=self.aws.dlq_url, MessageBody=json.dumps({"kind": "tts"}))
