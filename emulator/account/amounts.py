"""Amounts of line items, invoices and estimates, and rounded hours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.account.state import Row, State


def cents(amount: float) -> float:
    """An amount rounded to two decimals, half a cent away from zero."""
    return round(amount + math.copysign(1e-9, amount), 2)


def rounded(hours: float) -> float:
    """Hours rounded up to the quarter, as the account is set."""
    return math.ceil(round(hours * 4, 6)) / 4


def line_item(state: State, kind: str, quantity: float, unit_price: float, **more: object) -> Row:
    """A line item of an estimate. An item of an invoice needs its `project` too (`more`)."""
    return {
        "id": state.new_id("line_items"),
        "kind": kind,
        "description": None,
        "quantity": quantity,
        "unit_price": unit_price,
        "amount": cents(quantity * unit_price),
        "taxed": False,
        "taxed2": False,
        **more,
    }


def add_up(bill: Row) -> None:
    """Set the amounts of an invoice or estimate from its line items, discount and taxes."""
    items = bill["line_items"]
    kept = 1 - (bill["discount"] or 0) / 100
    bill["discount_amount"] = cents(sum(item["amount"] for item in items) * (1 - kept))
    for tax, taxed in (("tax", "taxed"), ("tax2", "taxed2")):
        base = sum(item["amount"] for item in items if item[taxed]) * kept
        bill[f"{tax}_amount"] = cents(base * (bill[tax] or 0) / 100)
    total = sum(item["amount"] for item in items)
    bill["amount"] = cents(total - bill["discount_amount"] + bill["tax_amount"] + bill["tax2_amount"])


def settle(state: State, invoice: Row) -> None:
    """Set the due amount of an invoice, and whether it is paid, from its payments."""
    payments = state.table("invoice_payments", invoice["id"]).listed()
    invoice["due_amount"] = cents(invoice["amount"] - sum(payment["amount"] for payment in payments))
    if invoice["state"] == "open" and payments and invoice["due_amount"] <= 0:
        last = max(payments, key=lambda payment: str(payment["paid_at"]))
        invoice.update(state="paid", paid_at=last["paid_at"], paid_date=last["paid_date"])
    elif invoice["state"] == "paid" and invoice["due_amount"] > 0:
        invoice.update(state="open", paid_at=None, paid_date=None)
