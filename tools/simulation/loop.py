"""Virtual time: an event loop whose strands wait as threads do, and what stands in for threads in the shipped services.

A strand is a greenlet. It runs until it waits, and nothing else runs meanwhile, so that a run is the same every time.
What the shipped modules use of `threading` and `concurrent.futures` is replaced while a loop is running; a lock that
nobody waits for while holding it stays a real one.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty
from types import SimpleNamespace
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar
from unittest.mock import patch

from greenlet import GreenletExit, getcurrent, greenlet

from mediarelay.dispatch import batches, dispatch, refilling
from mediarelay.health import fleet_view
from mediarelay.keys import pools
from mediarelay.limits import limiter
from mediarelay.metrics import writer
from tests.doubles.clock import EPOCH

T = TypeVar("T")
Action = Callable[[], object]


class Crew:
    """The strands of one process. Once it is dead, none of them goes on."""

    def __init__(self) -> None:
        self.dead = False


class Strand:
    """One thread of a process; `subject` is what it works on, handed on to the strands that it starts."""

    running: ClassVar[Strand | None] = None

    def __init__(self, action: Action, hub: greenlet, crew: Crew | None, subject: object) -> None:
        self.crew = crew
        self.subject = subject
        self._greenlet = greenlet(action, hub)  # control goes back to the hub at its end

    def resume(self) -> None:
        """Go on until it waits again or ends, unless the process is dead."""
        if self.crew is None or not self.crew.dead:
            Strand.running = self
            self._greenlet.switch()

    def end(self) -> None:
        """End it where it waits."""
        Strand.running = self
        self._greenlet.throw(GreenletExit)


class Loop:
    """The time, and what happens next. `now` is in seconds from the start."""

    running: ClassVar[Loop]

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()
        self._hub = getcurrent()
        self._unfinished: dict[Strand, None] = {}
        self._closed = False

    def at(self, moment: float, action: Action) -> None:
        """Have it done then."""
        heapq.heappush(self._events, (max(moment, self.now), next(self._numbers), action))

    def start(self, action: Action, crew: Crew | None = None, subject: object = None) -> None:
        """Run it on a strand of its own, soon."""

        def whole() -> None:
            action()
            del self._unfinished[strand]

        strand = Strand(whole, self._hub, crew, subject)
        self._unfinished[strand] = None
        self.at(self.now, strand.resume)

    def sleep(self, seconds: float) -> None:
        """Let the strand wait."""
        self.at(self.now + seconds, current().resume)
        self.park()

    def park(self) -> None:
        """Let the strand wait until somebody resumes it."""
        if self._closed:
            raise GreenletExit
        self._hub.switch()

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until then, or until everything is done."""
        self._hub = getcurrent()
        while self._events and not done():
            moment, _, action = self._events[0]
            if moment > until:
                break
            heapq.heappop(self._events)
            self.now = moment
            action()

    def close(self) -> None:
        """End the strands that have not come to their end: those of dead processes, and what outlasted the run."""
        self._closed = True
        for strand in [*self._unfinished]:
            with suppress(Exception):  # what it does on its way out is of no account
                strand.end()


def current() -> Strand:
    """Return the strand that is running."""
    if Strand.running is None:
        raise TypeError("only a strand can wait in virtual time")
    return Strand.running


class VirtualClock:
    """Implements `vocabulary.clock.Clock` in virtual time; `offset` is by how much it is wrong."""

    def __init__(self, loop: Loop, offset: float = 0.0) -> None:
        self._loop = loop
        self._ahead = EPOCH + offset

    def now(self) -> float:
        """Unix seconds."""
        return self._ahead + self._loop.now

    def sleep(self, seconds: float) -> None:
        """Let the strand wait."""
        self._loop.sleep(max(0.0, seconds))


# --- what stands in for threads ------------------------------------------------------------------------------------


class _Waiter:
    """A strand that waits for one of several things, and goes on once."""

    def __init__(self) -> None:
        self._strand = current()
        self.woken = False

    def wake(self) -> None:
        if not self.woken:
            self.woken = True
            Loop.running.at(Loop.running.now, self._strand.resume)


class VirtualLock:
    """Stands in for `threading.RLock`; those who wait get it in turn."""

    def __init__(self) -> None:
        self._owner: Strand | None = None
        self._depth = 0
        self._waiting: deque[Strand] = deque()

    def __enter__(self) -> None:
        me = current()
        if self._owner is not None and self._owner is not me:
            self._waiting.append(me)
            Loop.running.park()  # whoever leaves makes it ours
        self._owner = me
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._owner = self._waiting.popleft() if self._waiting else None
            if self._owner is not None:
                Loop.running.at(Loop.running.now, self._owner.resume)


class VirtualCondition:
    """Stands in for `threading.Condition`: only waiting lets others run, so that entering it takes nothing."""

    def __init__(self) -> None:
        self._waiting: list[_Waiter] = []

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None

    def notify_all(self) -> None:
        """Wake all who wait."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.wake()

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until it holds, at most so many seconds."""
        loop = Loop.running
        until = loop.now + timeout
        while not predicate():
            if loop.now >= until:
                return False
            waiter = _Waiter()
            self._waiting.append(waiter)
            loop.at(until, waiter.wake)
            loop.park()
        return True


class VirtualQueue(Generic[T]):
    """Stands in for `queue.SimpleQueue`."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._changed = VirtualCondition()

    def put(self, item: T) -> None:
        """Add it."""
        self._items.append(item)
        self._changed.notify_all()

    def get(self, timeout: float | None = None) -> T:
        """Wait for one, at most so many seconds."""
        if not self._changed.wait_for(lambda: bool(self._items), math.inf if timeout is None else timeout):
            raise Empty
        return self._items.popleft()

    def get_nowait(self) -> T:
        """Take one that is there."""
        return self.get(0.0)


class VirtualFuture(Generic[T]):
    """Stands in for `concurrent.futures.Future`."""

    def __init__(self) -> None:
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Any], object]] = []

    def set_result(self, value: T) -> None:
        """End well."""
        self._value = value
        self._end()

    def set_exception(self, error: BaseException) -> None:
        """End badly."""
        self._error = error
        self._end()

    def done(self) -> bool:
        """Tell whether it has ended."""
        return self._done

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Have it called when this ends, or now."""
        if self._done:
            callback(self)
        else:
            self._callbacks.append(callback)

    def result(self) -> T:
        """Wait for the end."""
        if not self._done:
            waiter = _Waiter()
            self._callbacks.append(lambda _: waiter.wake())
            Loop.running.park()
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def _end(self) -> None:
        self._done = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


class VirtualExecutor:
    """Stands in for `ThreadPoolExecutor`: a strand for each task, at most so many at once, in turn."""

    def __init__(self, max_workers: int, thread_name_prefix: str = "") -> None:
        del thread_name_prefix
        self._free = max_workers
        self._waiting: deque[tuple[Action, Crew | None, object]] = deque()

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> VirtualFuture[T]:
        """Have it done by a strand."""
        future: VirtualFuture[T] = VirtualFuture()
        me = current()

        def task() -> None:
            try:
                value = function(*arguments)
            except Exception as error:  # noqa: BLE001 # whoever asks for the result meets it
                future.set_exception(error)
            else:
                future.set_result(value)
            self._next()

        if self._free:
            self._free -= 1
            Loop.running.start(task, me.crew, me.subject)
        else:
            self._waiting.append((task, me.crew, me.subject))
        return future

    def map(self, function: Callable[[Any], T], items: Iterable[Any]) -> Iterator[T]:
        """Have it done for each; yields the results in order."""
        for future in [self.submit(function, item) for item in items]:
            yield future.result()

    def _next(self) -> None:
        if self._waiting:
            Loop.running.start(*self._waiting.popleft())
        else:
            self._free += 1


class _Waited(NamedTuple):
    done: set[Any]
    not_done: set[Any]


def virtual_wait(futures: Iterable[VirtualFuture[Any]], timeout: float) -> _Waited:
    """Stands in for `concurrent.futures.wait`."""
    known: Sequence[VirtualFuture[Any]] = list(futures)
    changed = VirtualCondition()
    for future in known:
        future.add_done_callback(lambda _: changed.notify_all())
    changed.wait_for(lambda: all(future.done() for future in known), timeout)
    done = {future for future in known if future.done()}
    return _Waited(done, set(known) - done)


_THREADING: Final = SimpleNamespace(RLock=VirtualLock, Condition=VirtualCondition, Lock=threading.Lock)
_IN_THE_PLACE_OF: Final = {
    "ThreadPoolExecutor": VirtualExecutor,
    "Future": VirtualFuture,
    "SimpleQueue": VirtualQueue,
    "wait": virtual_wait,
}
# The shipped modules in which a thread waits for another one.
_WAITING: Final = (batches, dispatch, refilling, fleet_view, pools, limiter, writer)


@contextmanager
def virtual_threads(loop: Loop) -> Iterator[None]:
    """Have the shipped services wait in this loop's time.

    Raises:
        RuntimeError: Some of them started a real thread.
    """
    before = threading.active_count()
    with ExitStack() as stack:
        stack.enter_context(patch.object(Loop, "running", loop, create=True))
        stack.enter_context(patch.object(limiter, "threading", _THREADING))
        for module in _WAITING:
            for name in _IN_THE_PLACE_OF.keys() & vars(module).keys():
                stack.enter_context(patch.object(module, name, _IN_THE_PLACE_OF[name]))
        yield
    if threading.active_count() > before:
        raise RuntimeError("a shipped service started a thread that virtual time knows nothing of")
