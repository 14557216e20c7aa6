"""`python -m tests.sweep [ID …]`: play runs again and show their calls; without an id, the whole sweep."""

from __future__ import annotations

import sys
import time

from tests.harness.chatter import say
from tests.sweep.faults import RunId
from tests.sweep.invariants import broken
from tests.sweep.plan import failed, play, whole


def main(ids: list[str]) -> int:
    """Returns how many runs are wrong, at most 99."""
    if not ids:
        began, all_of_them = time.perf_counter(), whole()
        found = failed(all_of_them)
        for run, wrong in found.items():
            say(f"{run}: {'; '.join(wrong)}")
        say(f"{len(all_of_them)} runs in {time.perf_counter() - began:.0f} s, {len(found)} of them wrong")
        return min(99, len(found))
    wrong = 0
    for written in ids:
        stage = play(RunId.parsed(written))
        for call in stage.faults.log:
            say(call)
        for record in stage.jobs.all().values():
            say(record.model_dump_json(exclude_defaults=True))
        said = broken(stage)
        say(f"{written}: {'; '.join(said) or 'all holds'}")
        wrong += bool(said)
    return min(99, wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
