from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from typer.testing import CliRunner

from mediarelay.providers.offers import Offer
from mediarelay.routing.order import decide
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH
from tools.replay.__main__ import app

NOW_MS = round(EPOCH * 1000)


def metric(second: int, outcome: str) -> str:
    facts = {"provider": "openai-tts", "key_id": "0123456789ab", "request_id": f"r-{second}", "outcome": outcome}
    return json.dumps({**facts, "started_at": NOW_MS + second * 1000, "latency_ms": 300})


def judged(path: Path, *options: str) -> list[str]:
    result = CliRunner().invoke(app, ["judge", str(path), *options])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_recorded_metrics_are_judged_again_under_other_thresholds(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    outcomes = ["delivered"] * 60 + ["overloaded"] * 4 + ["delivered"] * 200
    path.write_text("\n".join(metric(n, outcome) for n, outcome in enumerate(outcomes)), encoding="utf-8")
    opened, resolved = judged(path)
    assert "openai-tts opened: down (4 faults in a row)" in opened
    assert "resolved: healthy" in resolved
    assert judged(path, "--thresholds", '{"*":{"shortest_run":6,"longest_run":9}}') == []


def test_decisions_are_made_again_from_their_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    offers = [Offer(name, 0.01, 1.0 + n / 10, 2) for n, name in enumerate("abcd")]
    lines = ["not json", json.dumps({"message": "settled"})]
    for seed in range(20):
        decision = decide(offers, "fastest", rng=dice(seed))
        order = [{**asdict(offer), "availability": offer.availability.name.lower()} for offer in decision.order]
        facts = {"message": "routed", "request_id": f"r-{seed}", "strategy": "fastest", "drawn": decision.drawn}
        lines.append(json.dumps({**facts, "order": order}))
    path.write_text("\n".join(lines), encoding="utf-8")
    assert CliRunner().invoke(app, ["route", str(path)]).output == "0 of 20 decisions differ\n"
    changed = [line.replace('"expected_seconds": 1.0,', '"expected_seconds": 9.0,') for line in lines]
    path.write_text("\n".join(changed), encoding="utf-8")
    *differing, _ = CliRunner().invoke(app, ["route", str(path)]).output.splitlines()
    assert differing
    for line in differing:
        then, now = (order.split(" > ") for order in line.partition(": ")[2].split(" is now "))
        assert then.index("a") < now.index("a"), "slower now, so later"
