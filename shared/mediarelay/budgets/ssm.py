"""The budgets' document in a parameter of Systems Manager, changed without a deploy."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from mediarelay.budgets.contract import BudgetPlan, InvalidBudgets, parse_plan
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# As the keys' secret: a change is noticed within this, with no deploy.
PLAN_SECONDS: Final = 60


class ParameterBudgets:
    """Implements `budgets.ports.BudgetSource`.

    While the parameter can't be read, or holds a mistake, what was read last counts. Without that nothing is bought.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._provider = SSMProvider(boto3_client=client)
        self._name = name
        self._text: str | None = None
        self._plan: BudgetPlan | None = None
        self._lock = threading.Lock()

    def load(self) -> BudgetPlan:
        """See `budgets.ports.BudgetSource.load`."""
        with self._lock:  # one read for a whole batch that starts at once
            try:
                text = str(self._provider.get(self._name, max_age=PLAN_SECONDS))
                if self._plan is None or text != self._text:
                    self._plan, self._text = parse_plan(text), text
            except (GetParameterError, InvalidBudgets) as error:
                reason = str(error) if isinstance(error, InvalidBudgets) else type(error.__context__ or error).__name__
                logger.error("budgets not read", extra={"parameter": self._name, "reason": reason})  # noqa: TRY400
                if self._plan is None:
                    raise StoreUnavailable("budgets parameter", "be read", reason) from error
            return self._plan
