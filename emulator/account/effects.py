"""Which other rows change when a row is added or changed, and which of them get a new `updated_at` (a bump).

Observed: a payment and a sending message bump their invoice; an invoice made from time bumps the entries and the
client; a contact bumps its client; a new rate ends the one before. An assignment bumps neither user nor project, a
reminder does not bump its invoice, and a rename bumps only the renamed row. Assumed: archiving a project or task bumps
the entries that it locks, a rate that is valid now bumps its user, and a role does not bump its members.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from emulator.account.amounts import add_up, settle
from emulator.account.timestamps import later_day

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.account.state import Row, State

INVOICE_EVENTS: dict[str, Row] = {
    "send": {"state": "open"},
    "close": {"state": "closed"},
    "draft": {"state": "draft", "sent_at": None},
    "re-open": {"state": "open", "closed_at": None, "paid_at": None, "paid_date": None},
}
ESTIMATE_EVENTS: dict[str, Row] = {
    "send": {"state": "sent"},
    "accept": {"state": "accepted"},
    "decline": {"state": "declined"},
    "re-open": {"state": "sent", "accepted_at": None, "declined_at": None},
}
_EVENT_TIMES = {"send": "sent_at", "close": "closed_at", "accept": "accepted_at", "decline": "declined_at"}


def apply_event(bill: Row, events: dict[str, Row], event: str, when: str) -> None:
    """Apply an event to an invoice or estimate: set its state, the time of the event and `updated_at`."""
    moment = {_EVENT_TIMES[event]: when} if event in _EVENT_TIMES else {}
    bill.update({**events[event], **moment, "updated_at": when})


def _bump(state: State, table: str, row: Row, now: str, /, **values: Any) -> None:
    row.update(values, updated_at=now)
    state.changed(table, row)


def _invoice_added(state: State, invoice: Row, _: int | None, values: dict[str, Any]) -> None:
    if "amount" not in values:
        add_up(invoice)
    settle(state, invoice)
    for table, ids in (("time_entries", "time_entry_ids"), ("expenses", "expense_ids")):
        reason = "Item Invoiced" if table == "time_entries" else "Expense is invoiced."
        billed = {"invoice": state.reference("invoice", invoice["id"]), "is_billed": True}
        for row_id in values.get(ids, ()):
            row = state.row(table, row_id)
            _bump(state, table, row, invoice["created_at"], is_locked=True, locked_reason=reason, **billed)
    _bump(state, "clients", state.row("clients", invoice["client"]["id"]), invoice["created_at"])


def _estimate_added(_: State, estimate: Row, __: int | None, values: dict[str, Any]) -> None:
    if "amount" not in values:
        add_up(estimate)


def _contact_added(state: State, contact: Row, _: int | None, __: dict[str, Any]) -> None:
    _bump(state, "clients", state.row("clients", contact["client"]["id"]), contact["created_at"])


def _payment_added(state: State, payment: Row, invoice_id: int | None, _: dict[str, Any]) -> None:
    invoice = state.row("invoices", invoice_id or 0)
    settle(state, invoice)
    _bump(state, "invoices", invoice, payment["created_at"])


def _message_added(state: State, message: Row, parent_id: int | None, _: dict[str, Any]) -> None:
    table, events = ("invoices", INVOICE_EVENTS) if "attach_pdf" in message else ("estimates", ESTIMATE_EVENTS)
    parent = state.row(table, parent_id or 0)
    event = message["event_type"]
    if event is None and parent["state"] == "draft":
        event = "send"  # the first message of a draft sends it
    if event in events:
        apply_event(parent, events, event, message["created_at"])
        state.changed(table, parent)


def _rate_added(table: str, user_field: str) -> Callable[[State, Row, int | None, dict[str, Any]], None]:
    def added(state: State, rate: Row, user_id: int | None, _: dict[str, Any]) -> None:
        rates = state.table(table, user_id).listed()
        for earlier, later in pairwise(rates):
            end = later_day(later["start_date"], -1)
            if earlier["end_date"] != end:
                _bump(state, table, earlier, rate["created_at"], end_date=end)
        begun = [row["amount"] for row in rates if (row["start_date"] or "") <= rate["created_at"][:10]]
        user = state.row("users", user_id or 0)
        if begun and user[user_field] != begun[-1]:
            _bump(state, "users", user, rate["created_at"], **{user_field: begun[-1]})

    return added


def roles_changed(state: State) -> None:
    """Set the role names of each user, without a bump."""
    roles = sorted(state.tables["roles"].rows.values(), key=lambda role: str(role["name"]))
    for user in state.tables["users"].rows.values():
        user["roles"] = [role["name"] for role in roles if user["id"] in role["user_ids"]]


def _bill_updated(table: str) -> Callable[[State, Row, dict[str, Any], str], None]:
    def updated(state: State, bill: Row, values: dict[str, Any], _: str) -> None:
        if values.keys() & {"line_items", "discount", "tax", "tax2"}:
            add_up(bill)
            if table == "invoices":
                settle(state, bill)

    return updated


def _payment_updated(state: State, payment: Row, _: dict[str, Any], now: str) -> None:
    payment_changed(state, state.parents["invoice_payments"][payment["id"]], now)


def payment_changed(state: State, invoice_id: int, now: str) -> None:
    """Set the due amount and state of an invoice whose payments changed, and bump it."""
    invoice = state.row("invoices", invoice_id)
    settle(state, invoice)
    _bump(state, "invoices", invoice, now)


def _timer_switched(state: State, entry: Row, values: dict[str, Any], now: str) -> None:
    if "is_running" in values and "timer_started_at" not in values:
        entry["timer_started_at"] = now if entry["is_running"] else None


def _client_updated(state: State, client: Row, values: dict[str, Any], _: str) -> None:
    if "currency" in values:
        for project in state.tables["projects"].rows.values():
            if project["client"]["id"] == client["id"]:
                project["currency"] = client["currency"]


def _project_updated(state: State, project: Row, values: dict[str, Any], now: str) -> None:
    if "client_id" in values:  # its time and expenses change too, without a bump
        client = state.reference("client_with_currency", values["client_id"])
        project["currency"] = client["currency"]
        for table in ("time_entries", "expenses"):
            for row in state.tables[table].rows.values():
                if row["project"]["id"] == project["id"]:
                    row["client"] = client
    if values.get("is_active") is False:
        _lock(state, "project", project["id"], now)


def _task_updated(state: State, task: Row, values: dict[str, Any], now: str) -> None:
    if values.get("is_active") is False:
        _lock(state, "task", task["id"], now)


def _lock(state: State, field: str, row_id: int, now: str) -> None:
    for entry in state.tables["time_entries"].rows.values():
        if entry[field]["id"] == row_id and not entry["is_locked"]:
            _bump(state, "time_entries", entry, now, is_locked=True, locked_reason="Item Archived")


AFTER_ADD: dict[str, Callable[[State, Row, int | None, dict[str, Any]], None]] = {
    "contacts": _contact_added,
    "invoices": _invoice_added,
    "estimates": _estimate_added,
    "invoice_payments": _payment_added,
    "invoice_messages": _message_added,
    "estimate_messages": _message_added,
    "billable_rates": _rate_added("billable_rates", "default_hourly_rate"),
    "cost_rates": _rate_added("cost_rates", "cost_rate"),
    "roles": lambda state, *_: roles_changed(state),
}
AFTER_UPDATE: dict[str, Callable[[State, Row, dict[str, Any], str], None]] = {
    "clients": _client_updated,
    "projects": _project_updated,
    "tasks": _task_updated,
    "invoices": _bill_updated("invoices"),
    "estimates": _bill_updated("estimates"),
    "invoice_payments": _payment_updated,
    "roles": lambda state, *_: roles_changed(state),
    "time_entries": _timer_switched,
}
