"""Expenses of a new account."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from emulator.account.amounts import cents
from emulator.account.timestamps import later_day
from emulator.sample.billing import Invoiced

if TYPE_CHECKING:
    from emulator.account.state import Row
    from emulator.sample.builder import Builder

_FIRST_OPEN_DAY = "2025-12-01"  # expenses before this day are approved


def build_expenses(builder: Builder) -> None:
    """Expenses: some with a receipt, some by mileage, the older ones approved, many invoiced."""
    state, chance = builder.state, builder.chance
    assignments = list(state.tables["user_assignments"].rows.values())
    assignment_times = [assignment["created_at"] for assignment in assignments]
    categories = list(state.tables["expense_categories"].rows.values())
    invoiced = Invoiced(state)
    for i, moment in enumerate(builder.moments(builder.size.expenses, until=1.0)):
        created = max(moment, assignment_times[0])
        assignment = assignments[chance.randrange(bisect_right(assignment_times, created))]
        category = categories[i % len(categories)]
        units = float(chance.randrange(3, 80)) if category["unit_price"] else 1.0
        expense = builder.put(
            "expenses",
            created,
            client_id=state.row("projects", assignment["project"]["id"])["client"]["id"],
            project_id=assignment["project"]["id"],
            user_id=assignment["user"]["id"],
            user_assignment_id=None if i % 7 == 5 else assignment["id"],
            expense_category_id=category["id"],
            receipt=_receipt(i) if i % 3 == 0 else None,
            notes=(None, "", "Zürich ↔ Bern, return")[i % 3],
            units=units,
            total_cost=cents(units * category["unit_price"]) if category["unit_price"] else 12.5 + i % 40,
            billable=i % 5 != 4,
            reimbursement=(None, True, False)[i % 3],
            spent_date=later_day(created[:10], -(i % 3)),
        )
        if expense["spent_date"] < _FIRST_OPEN_DAY:
            reason = "The project is locked for this time period."
            expense.update(is_closed=True, approval_status="approved", is_locked=True, locked_reason=reason)
        invoice = invoiced.by(expense)
        if invoice and expense["billable"]:
            billed = {"invoice": invoice["reference"], "is_billed": True, "updated_at": invoice["created_at"]}
            expense.update(billed, is_locked=True, locked_reason="Expense is invoiced.")


def _receipt(i: int) -> Row:
    url = f"https://northlight.harvestapp.example/expenses/{i}/receipt"
    return {"url": url, "file_name": f"receipt {i}.png", "file_size": 20_480 + i, "content_type": "image/png"}
