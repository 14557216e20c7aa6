"""What is set aside and spent of budgets, and what they are, as ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final, Protocol

from mediarelay.vocabulary.frozen import frozen

if TYPE_CHECKING:
    from mediarelay.budgets.contract import BudgetLevel, BudgetPlan


# What the entries of an item may take: some thirteen hundred jobs at a time. An item of DynamoDB ends at 400 KB, each
# write costs a unit for each KB of it, and a partition takes a thousand units a second.
MOST_BYTES: Final = 100_000


@frozen
class Allowance:
    """What may be spent at most, in billionths of a dollar; None for no bound."""

    day: int | None
    month: int | None


@frozen
class Payer:
    """A tenant or the stage, with its budget."""

    name: str
    allowance: Allowance


@frozen
class Entry:
    """What is set aside of one budget for one job.

    Attributes:
        day: Of the month, in which it counts.
        amount: Billionths of a dollar.
        mark: Tells the entry from another of the same job.
        provider: Who will probably be asked.
    """

    day: int
    amount: int
    mark: str
    provider: str

    @property
    def written(self) -> str:
        """As a store writes it."""
        return f"{self.day} {self.amount} {self.mark} {self.provider}"

    @classmethod
    def read(cls, written: str) -> Entry:
        """Return what was written."""
        day, amount, mark, provider = written.split(" ")
        return cls(int(day), int(amount), mark, provider)


@frozen
class BudgetChange:
    """One change of what is set aside for a job.

    Attributes:
        before: The entry that must stand; None: there must be none.
        after: The entry that shall stand; None removes it.
        charged: What was spent instead, by provider.
        allowance: What may not be exceeded; None where nothing is asked.
    """

    payer: str
    month: str
    job_id: str
    before: Entry | None
    after: Entry | None
    charged: Mapping[str, int] = field(default_factory=dict)
    allowance: Allowance | None = None

    @property
    def day(self) -> int:
        """The day in which it counts."""
        entry = self.after or self.before
        return entry.day if entry else 0

    @property
    def more(self) -> int:
        """By how much the budget is used more, or less where negative."""
        after, before = self.after.amount if self.after else 0, self.before.amount if self.before else 0
        return sum(self.charged.values()) + after - before

    @property
    def more_bytes(self) -> int:
        """By how many bytes the budget's entries grow, or shrink where negative."""
        name = len(f"h:{self.job_id}".encode())
        after, before = (name + len(entry.written) if entry else 0 for entry in (self.after, self.before))
        return after - before

    @property
    def opens(self) -> bool:
        """Whether it makes an entry where there was none."""
        return self.before is None and self.after is not None


@frozen
class Changed:
    """It was written; what is spent and set aside since, in the month and in the day. Of a budget that is spread over
    several items, as it was found lately.
    """

    month_used: int
    day_used: int


@frozen
class Unchanged:
    """It was not: another entry stands for the job, the budget does not allow it, or would and is `full`: its entries
    may take `MOST_BYTES`.
    """

    entry: Entry | None
    month_used: int
    day_used: int
    full: bool = False


@frozen
class BudgetState:
    """One budget in one month.

    Attributes:
        used: Spent and set aside in the month.
        days: The same by day.
        spent: By provider.
        entries: What is set aside, by job.
        allowance: As it was when money was last set aside.
    """

    payer: str
    month: str
    used: int
    days: Mapping[int, int]
    spent: Mapping[str, int]
    entries: Mapping[str, Entry]
    allowance: Allowance


class BudgetStore(Protocol):
    """What is set aside and spent. Every method raises `StoreUnavailable`."""

    def change(self, change: BudgetChange) -> Changed | Unchanged:
        """Change what is set aside for a job by one conditional write, which others may share.

        No further entry is made beyond `MOST_BYTES` of them; one that stands may always be changed and removed.
        """

    def entry(self, payer: str, month: str, job_id: str) -> Entry | None:
        """Return what is set aside of one budget for a job."""

    def tell(self, level: BudgetLevel) -> bool:
        """Record that a level was reached. Returns False when that is recorded already."""

    def month(self, month: str) -> Sequence[BudgetState]:
        """Return every budget of which anything was set aside in that month."""


class BudgetDocument(Protocol):
    """The document of the budgets, as it is written. Both raise `StoreUnavailable`."""

    def read(self) -> str:
        """Read it; empty where there is none yet."""

    def write(self, text: str) -> None:
        """Replace it."""


class BudgetSource(Protocol):
    """The budgets that operators have set."""

    def load(self) -> BudgetPlan:
        """Read them, cached for a while. Raises `StoreUnavailable`."""
