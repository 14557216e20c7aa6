"""Budgets that operators change over HTTP, in the document that they may also write by hand."""

from __future__ import annotations

from typing import Final

from mediarelay.api.access import Caller
from mediarelay.api.contract import AuditEntry
from mediarelay.api.orders.contract import BudgetOrder, BudgetSet
from mediarelay.api.ports import AuditLog
from mediarelay.budgets.contract import InvalidBudgets, changed
from mediarelay.budgets.ports import BudgetDocument
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected

NO_BUDGETS: Final = "no_budgets"


class BudgetOrders:
    """Raises `StoreUnavailable`. `document` is None where the deployment has none."""

    def __init__(self, document: BudgetDocument | None, audit: AuditLog, *, clock: Clock) -> None:
        self._document = document
        self._audit = audit
        self._clock = clock

    def set(self, order: BudgetOrder, caller: Caller) -> BudgetSet:
        """Change what a payer may spend; noted in the audit before. Raises `RequestRejected` where that can't be."""
        if self._document is None:
            raise RequestRejected(NO_BUDGETS, "the deployment has no BudgetsParameter")
        try:
            text, before, after = changed(self._document.read(), order.payer, order.day_usd, order.month_usd)
        except InvalidBudgets as error:
            raise RequestRejected("invalid_budgets", f"mend the parameter by hand first: {error}") from error
        facts = {"author": caller.name, "action": "budget.set", "subject": order.payer, "reason": order.reason}
        self._audit.add(AuditEntry(at=self._clock.now(), before=before, after=after, **facts))
        self._document.write(text)
        return BudgetSet(payer=order.payer, day_usd=order.day_usd, month_usd=order.month_usd)
