"""The budgets' document in a parameter of Systems Manager, changed without a deploy."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from mediarelay.aws.stores import store_errors
from mediarelay.budgets.contract import BudgetPlan, InvalidBudgets, parse_plan
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# As the keys' secret: a change is noticed within this, with no deploy.
PLAN_SECONDS: Final = 60
# A parameter that can't be read is asked for so often, and not once for each request.
RETRY_SECONDS: Final = 5
_STORE: Final = "budgets parameter"


class ParameterBudgets:
    """Implements `budgets.ports.BudgetSource`.

    While the parameter can't be read, or holds a mistake, what was read last counts. Without that nothing is bought.
    """

    def __init__(self, client: Any, name: str, now: Callable[[], float]) -> None:
        self._client = client
        self._name = name
        self._now = now
        self._plan: BudgetPlan | None = None
        self._reason = ""
        self._read_again_at = 0.0
        self._lock = threading.Lock()

    def load(self) -> BudgetPlan:
        """See `budgets.ports.BudgetSource.load`."""
        with self._lock:  # one read for a whole batch that starts at once
            if self._now() >= self._read_again_at:
                self._read_again_at = self._now() + (PLAN_SECONDS if self._read() else RETRY_SECONDS)
            if self._plan is None:
                raise StoreUnavailable(_STORE, "be read", self._reason)
            return self._plan

    def _read(self) -> bool:
        """Read the document. Returns whether there is one that can be understood."""
        try:
            with store_errors(_STORE, "be read"):
                answer = self._client.get_parameter(Name=self._name)
            self._plan = parse_plan(answer["Parameter"]["Value"])
        except (StoreUnavailable, InvalidBudgets) as error:
            self._reason = error.reason if isinstance(error, StoreUnavailable) else str(error)
            facts = {"parameter": self._name, "reason": self._reason}
            logger.error("budgets not read", extra=facts)  # noqa: TRY400 # the reason says all
            return False
        return True


class ParameterDocument:
    """Implements `budgets.ports.BudgetDocument`."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def read(self) -> str:
        """See `budgets.ports.BudgetDocument.read`."""
        with store_errors(_STORE, "be read"):
            try:
                return str(self._client.get_parameter(Name=self._name)["Parameter"]["Value"])
            except self._client.exceptions.ParameterNotFound:
                return ""

    def write(self, text: str) -> None:
        """See `budgets.ports.BudgetDocument.write`."""
        with store_errors(_STORE, "be written"):
            self._client.put_parameter(Name=self._name, Type="String", Value=text, Overwrite=True)
