"""One more working day of the agency."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from emulator.account.amounts import line_item
from emulator.account.timestamps import stamp
from emulator.sample import names

if TYPE_CHECKING:
    from emulator.account.account import Account
    from emulator.account.state import Row

_Row = TypeVar("_Row")
_DAYS = ((0.33, 4.0, 2.5), (3.0, 4.25), (0.5, 1.0, 5.5), (7.0,))  # the hours of a day's entries


def work(account: Account, seed: int) -> None:
    """Move the clock forward by one day, and add, change and delete the rows that change on such a day.

    The changes depend only on the account, the seed and the date.
    """
    end = account.clock.now() + timedelta(days=1)
    chance = random.Random(f"{seed} {end.date()}")  # noqa: S311 - repeatable on purpose
    for step in (_stop_timers, _track_time, _edit_time, _delete_time, _spend, _plan, _bill, _chase, _get_paid):
        account.clock.advance(minutes=20)
        step(account, chance)
    _take_time_off(account, random.Random(f"{seed} {end.date()} off"))  # noqa: S311 - as above
    account.clock.advance(seconds=(end - account.clock.now()).total_seconds() - 1800)
    _start_timer(account, chance)
    account.clock.advance(minutes=30)


def _stop_timers(account: Account, _: random.Random) -> None:
    account.tick()
    for row_id in sorted(account.state.running):
        hours = account.state.row("time_entries", row_id)["hours"]
        stopped: Row = {"is_running": False, "timer_started_at": None, "ended_time": "9:20am"}
        account.update("time_entries", row_id, hours=hours, **stopped)


def _track_time(account: Account, chance: random.Random) -> None:
    """On a weekday everybody who has a project tracks a day; one of them tracks a day of six weeks ago."""
    today = account.clock.now().date()
    assignments = _assignments(account, "tasks")
    people = {assignment["user"]["id"]: assignment for assignment in chance.sample(assignments, len(assignments))}
    for i, assignment in enumerate(people.values() if today.weekday() < 5 else ()):
        for hours in chance.choice(_DAYS):
            account.clock.advance(seconds=7)
            account.add(
                "time_entries",
                project_id=assignment["project"]["id"],
                user_id=assignment["user"]["id"],
                hours=hours,
                notes=chance.choice(names.NOTES),
                spent_date=(today - timedelta(days=42 if i == 1 else 0)).isoformat(),
            )


def _start_timer(account: Account, chance: random.Random) -> None:
    """One timer runs when the day ends."""
    for assignment in _one(_assignments(account, "tasks"), chance):
        where = {"project_id": assignment["project"]["id"], "user_id": assignment["user"]["id"]}
        account.add("time_entries", **where, hours=0.0, is_running=True, started_time="8:30am")


def _edit_time(account: Account, chance: random.Random) -> None:
    for entry in chance.sample(_unlocked(account), min(2, len(_unlocked(account)))):
        account.update("time_entries", entry["id"], hours=entry["hours_without_timer"] + 0.5, notes="Corrected")


def _delete_time(account: Account, chance: random.Random) -> None:
    """One entry of an earlier day is deleted."""
    today = account.clock.now().date().isoformat()
    for entry in _one([entry for entry in _unlocked(account) if entry["created_at"] < today], chance):
        account.delete("time_entries", entry["id"])


def _spend(account: Account, chance: random.Random) -> None:
    for assignment in _one(_assignments(account, "expense_categories"), chance):
        where = {"project_id": assignment["project"]["id"], "user_id": assignment["user"]["id"]}
        account.add("expenses", **where, total_cost=float(chance.randrange(5, 90)), notes="On the way")


def _plan(account: Account, chance: random.Random) -> None:
    """Add a contact, assign a user to a project, rename a task."""
    for client in _one(_active(account, "clients"), chance):
        account.add("contacts", client_id=client["id"], first_name="Perpetua")
    taken = {(row["user"]["id"], row["project"]["id"]) for row in account.state.tables["user_assignments"].listed()}
    pairs = [
        (user["id"], project["id"])
        for user in _active(account, "users")
        for project in _active(account, "projects")[:20]
        if (user["id"], project["id"]) not in taken
    ]
    for user_id, project_id in _one(pairs, chance):
        account.add("user_assignments", user_id=user_id, project_id=project_id)
    for task in _one(_active(account, "tasks"), chance):
        account.update("tasks", task["id"], name=task["name"].split(" (")[0] + f" ({account.clock.now():%d %b})")


def _bill(account: Account, chance: random.Random) -> None:
    """Make an invoice from time and send it, and make an estimate."""
    entries = [entry for entry in _unlocked(account) if entry["billable"]]
    if entries:
        client = chance.choice(entries)["client"]["id"]
        billed = [entry for entry in entries if entry["client"]["id"] == client][:10]
        project = billed[0]["project"]
        hours = sum(entry["rounded_hours"] for entry in billed)
        item = line_item(account.state, "Service", hours, 110.0, project=project)
        ids = [entry["id"] for entry in billed]
        invoice = account.add("invoices", client_id=client, line_items=[item], time_entry_ids=ids)
        account.clock.advance(minutes=1)
        account.add("invoice_messages", invoice_id=invoice, event_type="send", subject="An invoice")
    for client in _one(_active(account, "clients"), chance):
        account.add("estimates", client_id=client["id"], line_items=[{"quantity": 3.0, "unit_price": 250.0}])


def _chase(account: Account, chance: random.Random) -> None:
    """Send a reminder, which does not change its invoice."""
    for invoice in _one(_in_state(account, "open"), chance):
        account.add("invoice_messages", invoice_id=invoice["id"], reminder=True, subject="A reminder")


def _get_paid(account: Account, chance: random.Random) -> None:
    for invoice in _one(_in_state(account, "open"), chance):
        account.add("invoice_payments", invoice_id=invoice["id"], amount=invoice["due_amount"])


def _take_time_off(account: Account, chance: random.Random) -> None:
    """Somebody asks for two days off, one request is approved, and another one that was not is deleted."""
    requests = account.state.tables["pto_requests"].listed()
    open_requests = [row for row in requests if row["status"] != "approved"]
    monday = account.clock.now().date() + timedelta(days=14 - account.clock.now().weekday())
    people = _active(account, "users") if _active(account, "pto_types") else []
    for user in _one(people, chance):
        days = {"start_date": monday.isoformat(), "end_date": (monday + timedelta(days=1)).isoformat()}
        account.add("pto_requests", user_id=user["id"], notes="Moving house", **days)
    for row in _one([row for row in open_requests if row["status"] == "pending"], chance):
        reviewer = next(user for user in account.state.tables["users"].rows)
        review: Row = {"reviewed_at": stamp(account.clock.now()), "reviewer_id": reviewer}
        account.update("pto_requests", row["id"], status="approved", **review)
    for row in _one([row for row in open_requests if row["status"] != "approved"], chance):
        account.delete("pto_requests", row["id"])


def _one(rows: list[_Row], chance: random.Random) -> list[_Row]:
    """A list with one of the rows; empty if there are none, as in an account where most rows were deleted."""
    return [chance.choice(rows)] if rows else []


def _assignments(account: Account, kinds: str) -> list[Row]:
    """The active user assignments; none if the account has no active task or expense category (`kinds`)."""
    return _active(account, "user_assignments") if _active(account, kinds) else []


def _active(account: Account, table: str) -> list[Row]:
    return [row for row in account.state.tables[table].listed() if row["is_active"]]


def _in_state(account: Account, state: str) -> list[Row]:
    return [row for row in account.state.tables["invoices"].listed() if row["state"] == state]


def _unlocked(account: Account) -> list[Row]:
    """The newest entries that are not locked and not running."""
    newest = account.state.tables["time_entries"].listed()[:400]
    return [entry for entry in newest if not (entry["is_locked"] or entry["is_running"])]
