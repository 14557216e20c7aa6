"""Step Functions: the shipped state machines in virtual time, and the functions that they invoke."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random
from typing import Any, Final, cast

from mediarelay.bootstrap.calling import CallingPorts, build_jobs
from mediarelay.bootstrap.settings import ProviderSettings
from mediarelay.bootstrap.speech import SpeakPorts, SpeakSettings, SteerPorts, build_speaker, build_steerer
from mediarelay.long_jobs.assembly import LongJobFunctions
from mediarelay.long_jobs.execution_state import ExecutionState
from mediarelay.long_jobs.step_functions import ended_or_caught
from mediarelay.long_speech.speech_state import PartTask, SpeechState
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.long_jobs import MemoryExecutions
from tests.harness.long_jobs.asl import Execution, StateMachine, Steps, definition
from tools.simulation.aws.template import function_seconds
from tools.simulation.loop import Loop, VirtualClock, VirtualExecutor

# What a handler keeps for the runtime's answer and the flush of its metrics.
RESERVE_SECONDS: Final = 2.5
INVOKE_SECONDS: Final = (0.01, 0.03)
CLIPS: Final = "media_job"
SPEECHES: Final = "long_speech"
# One visit of a function: the event, and when its time is over.
Visit = Callable[[dict[str, Any], float], dict[str, Any]]
JobStep = Callable[[LongJobFunctions, dict[str, Any], float], ExecutionState]


class Machine(StateMachine):
    """A state machine whose parallel branches wait side by side."""

    def __init__(
        self, name: str, functions: Mapping[str, Callable[[dict[str, Any]], Any]], clock: VirtualClock
    ) -> None:
        super().__init__(functions, cast(ManualClock, clock), machine=definition(name))
        self._time = clock

    def bring_on(self, steps: Iterator[float]) -> None:
        """Walk on to the end, waiting as it says."""
        for seconds in steps:
            self._time.sleep(seconds)

    def _side_by_side(self, waiting: list[Steps], most: int, execution: Execution) -> Steps:
        del execution
        branches = VirtualExecutor(most)
        for branch in [branches.submit(self.bring_on, steps) for steps in waiting]:
            branch.result()
        yield 0.0


class Machines:
    """Both state machines and all their executions."""

    def __init__(
        self,
        loop: Loop,
        functions: Mapping[str, Callable[[dict[str, Any]], Any]],
        subject_of: Callable[[str], object],
    ) -> None:
        """`subject_of` an execution is what its calls are for."""
        self._loop = loop
        self._functions = functions
        self._subject_of = subject_of
        self._clock = VirtualClock(loop)
        self.clips = MemoryExecutions(partial(self._begin, CLIPS))
        self.speeches = MemoryExecutions(partial(self._begin, SPEECHES))

    def _begin(self, machine: str, name: str) -> None:
        self._loop.start(partial(self._run, machine, name), subject=self._subject_of(name))

    def _run(self, machine: str, name: str) -> None:
        started = self.clips if machine == CLIPS else self.speeches
        execution = Execution(name, started.started[name])
        walking = Machine(machine, self._functions, self._clock)
        walking.bring_on(_unless_stopped(walking.steps(execution), lambda: name in started.stopped))
        started.ended.add(name)


def _unless_stopped(steps: Steps, stopped: Callable[[], bool]) -> Iterator[float]:
    for seconds in steps:
        yield seconds
        if stopped():
            return


class Functions:
    """The functions that state machines invoke: each invocation has a worker of its own, warm ones first."""

    def __init__(
        self,
        loop: Loop,
        calling: Callable[[str], CallingPorts],
        speaking: Callable[[CallingPorts], SpeakPorts],
        environment: Mapping[str, str],
        dice: Random,
    ) -> None:
        """`calling` makes the ports of a worker by its name."""
        self._loop = loop
        self._calling = calling
        self._speaking = speaking
        self._environment = environment
        self._dice = dice
        self._idle: dict[str, list[Visit]] = defaultdict(list)
        self._made = 0

    def by_name(self) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        """Return them as the state machines name them."""
        made = {
            "SubmitJobFunction": self._of_jobs(_submit),
            "PollJobFunction": self._of_jobs(_poll),
            "SettleJobFunction": self._of_jobs(_settle),
            "SpeakPartFunction": self._speaks,
            "SteerSpeechFunction": self._steers,
        }
        return {f"${{{name}Arn}}": partial(self._invoke, name, make) for name, make in made.items()}

    def _invoke(self, name: str, make: Callable[[CallingPorts], Visit], event: dict[str, Any]) -> dict[str, Any]:
        self._loop.sleep(self._dice.uniform(*INVOKE_SECONDS))
        idle = self._idle[name]
        if idle:
            visit = idle.pop()
        else:
            self._made += 1
            visit = make(self._calling(f"{name} {self._made}"))
        ends_at = EPOCH + self._loop.now + function_seconds(name) - RESERVE_SECONDS
        answer = visit(event, ends_at)
        idle.append(visit)
        return answer

    def _of_jobs(self, act: JobStep) -> Callable[[CallingPorts], Visit]:
        def make(ports: CallingPorts) -> Visit:
            jobs = build_jobs(ProviderSettings.model_validate(self._environment), ports)

            def visit(event: dict[str, Any], ends_at: float) -> dict[str, Any]:
                try:
                    return act(jobs, event, ends_at).to_state()
                finally:
                    jobs.telemetry.flush(RESERVE_SECONDS)

            return visit

        return make

    def _speaks(self, ports: CallingPorts) -> Visit:
        speaker = build_speaker(SpeakSettings.model_validate(self._environment), self._speaking(ports))

        def visit(event: dict[str, Any], ends_at: float) -> dict[str, Any]:
            try:
                return speaker.speak(PartTask.from_state(event), worker_ends_at=ends_at).to_state()
            finally:
                speaker.end(worker_ends_at=ends_at + RESERVE_SECONDS)

        return visit

    def _steers(self, ports: CallingPorts) -> Visit:
        progress = self._speaking(ports).progress
        steerer = build_steerer(ProviderSettings.model_validate(self._environment), SteerPorts(ports, progress))

        def visit(event: dict[str, Any], ends_at: float) -> dict[str, Any]:
            state, resumes = ended_or_caught(event)
            speech, failure = SpeechState.from_state(state), state.get("failure")
            return steerer.steer(speech, worker_ends_at=ends_at, failure=failure, resumes=resumes).to_state()

        return visit


def _submit(jobs: LongJobFunctions, event: dict[str, Any], ends_at: float) -> ExecutionState:
    return jobs.submitter.submit(ExecutionState.from_state(event), worker_ends_at=ends_at)


def _poll(jobs: LongJobFunctions, event: dict[str, Any], ends_at: float) -> ExecutionState:
    return jobs.poller.poll(ExecutionState.from_state(event), worker_ends_at=ends_at)


def _settle(jobs: LongJobFunctions, event: dict[str, Any], ends_at: float) -> ExecutionState:
    state, resumes = ended_or_caught(event)
    job, failure = ExecutionState.from_state(state), state.get("failure")
    return jobs.settler.settle(job, worker_ends_at=ends_at, failure=failure, resumes=resumes)
