"""The route by which budgets are set."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Router

from mediarelay.api.orders.contract import BudgetOrder, BudgetSet
from mediarelay.api.routes import PROBLEM, ok, route_of

router: Any = Router()  # its decorators are not typed


@route_of(
    router,
    "POST /budgets",
    summary="Set what a payer may spend",
    responses={**ok("As it holds within a minute"), 409: {"description": "There is no document", "content": PROBLEM}},
)
def set_budget(order: BudgetOrder) -> BudgetSet:
    """In the parameter of the budgets, in place of what it says of the payer; without an amount there is no bound."""
    found: BudgetSet = router.context["services"].budget_orders().set(order, router.context["caller"])
    return found
