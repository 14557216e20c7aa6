"""The state of a running simulator, in one place that can be replaced at run time."""

import time
from collections.abc import Callable
from random import Random

from tools.simulator.config import SimulatorConfig
from tools.simulator.wire import Call, Purchase

from .accounts import AccountBook
from .faults import FaultBook
from .jobs import JobBook
from .latency import LatencyTable
from .stats import Stats
from .voices import VoiceBook


class World:
    """Accounts, voices, latencies, faults, jobs and counters. `clock` gives monotonic seconds."""

    def __init__(self, config: SimulatorConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.stats = Stats()
        self.jobs = JobBook(clock)
        self.voices = VoiceBook()
        self.faults = FaultBook(Random(config.seed))  # noqa: S311 - repeatable runs, not secrets
        self.configure(config)

    def configure(self, config: SimulatorConfig) -> None:
        """Replace accounts and latencies; counters, faults and running jobs stay."""
        self.config = config
        self.accounts = AccountBook(config.vendors, self.clock())
        self.latency = LatencyTable(config.latency, config.seed)

    def reset(self) -> None:
        """Back to the first moment, with the configuration last given."""
        self.jobs.clear()
        self.voices.clear()
        self.faults = FaultBook(Random(self.config.seed))  # noqa: S311 - repeatable runs, not secrets
        self.stats = Stats()
        self.configure(self.config)

    def refund(self, call: Call, purchase: Purchase) -> None:
        """Undo what `call` bought, when the vendor never finished the work."""
        call.account.spend(-purchase.cost)
        row = self.stats.row(call.account.vendor, call.operation.name, call.holder)
        self.stats.bought(call.account.vendor, row, purchase, sign=-1)
