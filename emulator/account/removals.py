"""Which rows are deleted with a row, which lose their reference to it, and which rows Harvest refuses to delete.

Assumed: deleting a payment or an invoice bumps the rows whose fields change; deleting a message, an assignment, an
estimate or a user bumps nothing; the last administrator cannot be deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.account.effects import payment_changed, roles_changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.account.state import Row, State


def _refuse_if_used(state: State, row: Row, words: str, *links: tuple[str, str]) -> None:
    for table, field in links:
        if any((other[field] or {}).get("id") == row["id"] for other in state.tables[table].rows.values()):
            raise ValueError(words)


def _drop_with(state: State, field: str, row: Row, *tables: str) -> None:
    for table in tables:
        others = state.tables[table].rows.values()
        for row_id in [other["id"] for other in others if other[field]["id"] == row["id"]]:
            state.drop(table, row_id)


def _client(state: State, client: Row) -> None:
    words = "This client is not removable. It still has projects and/or invoices."
    _refuse_if_used(state, client, words, *((table, "client") for table in ("projects", "invoices", "estimates")))
    _drop_with(state, "client", client, "contacts")


def _task(state: State, task: Row) -> None:
    _refuse_if_used(state, task, "This task is not removable. It still has tracked time.", ("time_entries", "task"))
    _drop_with(state, "task", task, "task_assignments")


def _category(state: State, category: Row) -> None:
    _refuse_if_used(state, category, "This category is not removable.", ("expenses", "expense_category"))


def _pto_type(state: State, pto_type: Row) -> None:
    words = "This policy is not removable. It still has requests."
    _refuse_if_used(state, pto_type, words, ("pto_requests", "pto_type"))
    _drop_with(state, "pto_type", pto_type, "pto_allocations")


def _unassign(place: int) -> Callable[[State, Row], None]:
    """Assigns the deleted calendar (`place` 0) or schedule (1) to nobody."""

    def deleted(state: State, gone: Row) -> None:
        for user_id, assigned in state.time_off_of.items():
            kept = [None if n == place and id_ == gone["id"] else id_ for n, id_ in enumerate(assigned)]
            state.time_off_of[user_id] = (kept[0], kept[1])

    return deleted


def _project(state: State, project: Row) -> None:
    _drop_with(state, "project", project, "time_entries", "expenses", "user_assignments", "task_assignments")
    for invoice in state.tables["invoices"].rows.values():
        for item in invoice["line_items"]:
            if item["project"] is not None and item["project"]["id"] == project["id"]:
                item["project"] = None


def _user(state: State, user: Row) -> None:
    words = "This user is not removable. They still have tracked time or expenses."
    _refuse_if_used(state, user, words, ("time_entries", "user"), ("expenses", "user"))
    if [other for other in state.tables["users"].rows.values() if "administrator" in other["access_roles"]] == [user]:
        raise ValueError("This user is not removable. An account has an administrator.")
    _drop_with(state, "user", user, "user_assignments", "pto_requests", "pto_allocations")
    state.time_off_of.pop(user["id"], None)
    for role in state.tables["roles"].rows.values():
        role["user_ids"] = [user_id for user_id in role["user_ids"] if user_id != user["id"]]
    for manager_id, teammates in state.teammates.items():
        state.teammates[manager_id] = [user_id for user_id in teammates if user_id != user["id"]]


def _set_null(field: str, *tables: str, **values: Any) -> Callable[[State, Row, int | None, str], None]:
    """Set references to the deleted row to null; given `values`, set them in the same rows and bump these."""

    def deleted(state: State, gone: Row, _: int | None, now: str) -> None:
        for table in tables:
            for row in state.tables[table].rows.values():
                if row[field] is not None and row[field]["id"] == gone["id"]:
                    row[field] = None
                    if values:
                        row.update(values, updated_at=now)

    return deleted


def _user_gone(state: State, user: Row, _: int | None, now: str) -> None:
    _set_null("creator", "invoices", "estimates")(state, user, None, now)
    _set_null("reviewer", "pto_requests")(state, user, None, now)


def _payment(state: State, _: Row, invoice_id: int | None, now: str) -> None:
    if invoice_id is not None:
        payment_changed(state, invoice_id, now)


BEFORE_DELETE: dict[str, Callable[[State, Row], None]] = {
    "clients": _client,
    "tasks": _task,
    "expense_categories": _category,
    "projects": _project,
    "users": _user,
    "pto_types": _pto_type,
    "pto_holiday_calendars": _unassign(0),
    "pto_work_schedules": _unassign(1),
}
_NOT_BILLED = {"is_billed": False, "is_locked": False, "locked_reason": None}
AFTER_DELETE: dict[str, Callable[[State, Row, int | None, str], None]] = {
    "invoices": _set_null("invoice", "time_entries", "expenses", **_NOT_BILLED),
    "estimates": _set_null("estimate", "invoices"),
    "users": _user_gone,
    "user_assignments": _set_null("user_assignment", "time_entries", "expenses"),
    "task_assignments": _set_null("task_assignment", "time_entries"),
    "invoice_payments": _payment,
    "roles": lambda state, *_: roles_changed(state),
}
