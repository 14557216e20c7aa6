"""A world with vendors of speech, the shipped handlers over it, and the shipped state machine of long texts."""

from __future__ import annotations

import io
import json
import wave
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from functions.speak_part import app as speak_app
from functions.steer_speech import app as steer_app
from mediarelay.job_records.contract import PART, JobRecord
from mediarelay.keys.parsing import ApiKey
from tests.builders.keys import keys
from tests.builders.requests import message
from tests.doubles.jobs import MemorySpeechJobs
from tests.doubles.keys import FixedKeys
from tests.doubles.long_jobs import MemoryExecutions, MemoryUploads
from tests.doubles.media import MemoryMedia
from tests.doubles.speech_vendors import SpeechVendors
from tests.harness.long_jobs.asl import Execution, StateMachine, definition
from tests.harness.long_jobs.workflow import Context
from tests.harness.worker import World, speaker, steerer, worker

MACHINE = definition("long_speech")
HANDLERS = {"SpeakPartFunction": (speak_app, speaker), "SteerSpeechFunction": (steer_app, steerer)}
THREE_KEYS = {"openai": 2, "elevenlabs": 1}


@dataclass
class SpeechBench:
    """Publish, run, look. `before` is asked before each invocation; `around` gives each its own world."""

    keys: dict[str, tuple[ApiKey, ...]] = field(default_factory=lambda: keys(**THREE_KEYS))
    seed: int = 0
    before: Callable[[str, Any], None] = lambda _name, _event: None
    around: Callable[[World], World] = lambda world: world

    def __post_init__(self) -> None:
        self.source = FixedKeys(self.keys)
        self.world = World(source=self.source)
        self.clock = self.world.clock
        self.vendors = SpeechVendors(self.clock)
        self.world = replace(self.world, http=self.vendors)
        self._turn = 0
        self.text = ""
        self.began = self.clock.now()

    @property
    def speeches(self) -> MemoryExecutions:
        assert isinstance(self.world.speeches, MemoryExecutions)
        return self.world.speeches

    @property
    def jobs(self) -> MemorySpeechJobs:
        assert isinstance(self.world.jobs, MemorySpeechJobs)
        return self.world.jobs

    @property
    def uploads(self) -> MemoryUploads:
        assert isinstance(self.world.uploads, MemoryUploads)
        return self.world.uploads

    @property
    def media(self) -> MemoryMedia:
        assert isinstance(self.world.media, MemoryMedia)
        return self.world.media

    def publish(self, body: Any, *, by: World | None = None) -> None:
        """A fresh dispatcher handles one message, in another world where one is given."""
        asked = json.loads(body) if isinstance(body, str) else body
        self.text = asked["input"]["text"] if "input" in asked else self.text
        given = replace(message(body), sent_at=round(self.clock.now() * 1000))
        worker(by or self.world).handle(given, worker_ends_at=self.world.ends_at)

    def run(self, body: Any) -> JobRecord:
        """Publish one message and see its execution to the end; the record."""
        self.publish(body)
        (name,) = self.speeches.started
        self.ran = self.execute(name)
        return self.record(name.replace("@", "#"))

    def execute(self, name: str, *, meanwhile: Callable[[Execution], None] = lambda _execution: None) -> Execution:
        """Run one started execution; `meanwhile` is called before each wait."""
        execution = Execution(name, self.speeches.started[name])
        with self.machine() as machine:
            for seconds in machine.steps(execution):
                meanwhile(execution)
                if name in self.speeches.stopped:
                    execution.status = "ABORTED"
                    break
                self.clock.sleep(seconds)
        self.speeches.ended.add(name)
        if execution.status == "ABORTED":
            self.aborted(name)
        return execution

    def aborted(self, name: str) -> None:
        """What EventBridge does when an execution was stopped: it tells the function that settles."""
        detail = {"status": "ABORTED", "error": "cancelled", "input": json.dumps(self.speeches.started[name])}
        self.steer({"detail": detail})

    def record(self, job_id: str) -> JobRecord:
        record = self.jobs.get(job_id)
        assert record is not None
        return record

    def parts(self) -> list[JobRecord]:
        """The records of all parts."""
        return [record for job_id, record in self.jobs.all().items() if PART in job_id]

    def sound(self, record: JobRecord) -> tuple[int, array[int]]:
        """Rate and samples of a WAV that was joined."""
        output = record.outputs[0]
        with wave.open(io.BytesIO(self.uploads.files[output.key])) as file:
            return file.getframerate(), array("h", file.readframes(file.getnframes()))

    def spoken(self) -> list[str]:
        """The texts that were paid for, each once."""
        return list(self.vendors.bought)

    def speak(self, state: dict[str, Any], index: int) -> dict[str, Any]:
        """One visit of a fresh worker of speak_part, to one of the parts that are missing."""
        job = state["job"]
        names = ("request_id", "original", "received_at", "expires_at", "providers")
        task = {**{name: job[name] for name in names}, "part": job["missing"][index]}
        answer: dict[str, Any] = self._function("SpeakPartFunction")(task)
        return answer

    def steer(self, state: dict[str, Any]) -> dict[str, Any]:
        """One visit of a fresh worker of steer_speech."""
        answer: dict[str, Any] = self._function("SteerSpeechFunction")(state)
        return answer

    @contextmanager
    def machine(self) -> Iterator[StateMachine]:
        """The machine over the shipped handlers; each invocation is a fresh worker, on the world's own clock."""
        functions = {f"${{{name}Arn}}": self._function(name) for name in HANDLERS}
        yield StateMachine(functions, self.clock, seed=self.seed, machine=MACHINE)

    def _function(self, name: str) -> Callable[[dict[str, Any]], Any]:
        app, made = HANDLERS[name]

        def invoke(event: dict[str, Any]) -> Any:
            self._turn += 1
            self.before(name, event)
            working = made(self.around(self.world), seed=self._turn)
            with patch.object(app, "service", lambda: working), patch.object(app.time, "time", self.clock.now):
                return json.loads(json.dumps(app.handler(event, Context())))

        return invoke
