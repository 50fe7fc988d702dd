"""One further working day of the agency, as its people would leave it behind."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from emulator.account.amounts import line_item
from emulator.sample import names

if TYPE_CHECKING:
    from emulator.account.state import Row
    from emulator.harvest import Harvest

_Row = TypeVar("_Row")
_DAYS = ((0.33, 4.0, 2.5), (3.0, 4.25), (0.5, 1.0, 5.5), (7.0,))  # the hours of a day's entries


def work(harvest: Harvest) -> None:
    """Move the clock on by one day, and on the way add, change and delete what a day adds, changes and deletes.

    What happens follows from the account and the day alone: two days are one day and then another.
    """
    end = harvest.clock.now() + timedelta(days=1)
    chance = random.Random(f"{harvest.seed} {end.date()}")  # noqa: S311 - repeatable on purpose
    for happening in (_stop_timers, _track_time, _edit_time, _delete_time, _spend, _plan, _bill, _chase, _get_paid):
        harvest.clock.advance(minutes=20)
        happening(harvest, chance)
    harvest.clock.advance(seconds=(end - harvest.clock.now()).total_seconds() - 1800)
    _start_timer(harvest, chance)
    harvest.clock.advance(minutes=30)


def _stop_timers(harvest: Harvest, _: random.Random) -> None:
    harvest.tick()
    for row_id in sorted(harvest.state.running):
        hours = harvest.state.row("time_entries", row_id)["hours"]
        stopped: Row = {"is_running": False, "timer_started_at": None, "ended_time": "9:20am"}
        harvest.update("time_entries", row_id, hours=hours, **stopped)


def _track_time(harvest: Harvest, chance: random.Random) -> None:
    """On a weekday everybody who is on a project tracks a day, one of them a day of some weeks ago."""
    today = harvest.clock.now().date()
    slots = _slots(harvest, "tasks")
    people = {slot["user"]["id"]: slot for slot in chance.sample(slots, len(slots))}
    for i, slot in enumerate(people.values() if today.weekday() < 5 else ()):
        for hours in chance.choice(_DAYS):
            harvest.clock.advance(seconds=7)
            harvest.add(
                "time_entries",
                project_id=slot["project"]["id"],
                user_id=slot["user"]["id"],
                hours=hours,
                notes=chance.choice(names.NOTES),
                spent_date=(today - timedelta(days=42 if i == 1 else 0)).isoformat(),
            )


def _start_timer(harvest: Harvest, chance: random.Random) -> None:
    """Early in the morning, somebody is at work while one looks."""
    for slot in _one(_slots(harvest, "tasks"), chance):
        where = {"project_id": slot["project"]["id"], "user_id": slot["user"]["id"]}
        harvest.add("time_entries", **where, hours=0.0, is_running=True, started_time="8:30am")


def _edit_time(harvest: Harvest, chance: random.Random) -> None:
    for entry in chance.sample(_unlocked(harvest), min(2, len(_unlocked(harvest)))):
        harvest.update("time_entries", entry["id"], hours=entry["hours_without_timer"] + 0.5, notes="Corrected")


def _delete_time(harvest: Harvest, chance: random.Random) -> None:
    """Somebody thinks again about what they tracked on an earlier day."""
    today = harvest.clock.now().date().isoformat()
    for entry in _one([entry for entry in _unlocked(harvest) if entry["created_at"] < today], chance):
        harvest.delete("time_entries", entry["id"])


def _spend(harvest: Harvest, chance: random.Random) -> None:
    for slot in _one(_slots(harvest, "expense_categories"), chance):
        where = {"project_id": slot["project"]["id"], "user_id": slot["user"]["id"]}
        harvest.add("expenses", **where, total_cost=float(chance.randrange(5, 90)), notes="On the way")


def _plan(harvest: Harvest, chance: random.Random) -> None:
    """A contact writes, a user joins a project, a task gets another name."""
    for client in _one(_active(harvest, "clients"), chance):
        harvest.add("contacts", client_id=client["id"], first_name="Perpetua")
    taken = {(row["user"]["id"], row["project"]["id"]) for row in harvest.state.tables["user_assignments"].listed()}
    pairs = [
        (user["id"], project["id"])
        for user in _active(harvest, "users")
        for project in _active(harvest, "projects")[:20]
        if (user["id"], project["id"]) not in taken
    ]
    for user_id, project_id in _one(pairs, chance):
        harvest.add("user_assignments", user_id=user_id, project_id=project_id)
    for task in _one(_active(harvest, "tasks"), chance):
        harvest.update("tasks", task["id"], name=task["name"].split(" (")[0] + f" ({harvest.clock.now():%d %b})")


def _bill(harvest: Harvest, chance: random.Random) -> None:
    """An invoice is made from time and sent; an estimate is made."""
    entries = [entry for entry in _unlocked(harvest) if entry["billable"]]
    if entries:
        client = chance.choice(entries)["client"]["id"]
        billed = [entry for entry in entries if entry["client"]["id"] == client][:10]
        project = billed[0]["project"]
        hours = sum(entry["rounded_hours"] for entry in billed)
        item = line_item(harvest.state, "Service", hours, 110.0, project=project)
        ids = [entry["id"] for entry in billed]
        invoice = harvest.add("invoices", client_id=client, line_items=[item], time_entry_ids=ids)
        harvest.clock.advance(minutes=1)
        harvest.add("invoice_messages", invoice_id=invoice, event_type="send", subject="An invoice")
    for client in _one(_active(harvest, "clients"), chance):
        harvest.add("estimates", client_id=client["id"], line_items=[{"quantity": 3.0, "unit_price": 250.0}])


def _chase(harvest: Harvest, chance: random.Random) -> None:
    """A reminder goes out, which leaves its invoice as it is."""
    for invoice in _one(_in_state(harvest, "open"), chance):
        harvest.add("invoice_messages", invoice_id=invoice["id"], reminder=True, subject="A reminder")


def _get_paid(harvest: Harvest, chance: random.Random) -> None:
    for invoice in _one(_in_state(harvest, "open"), chance):
        harvest.add("invoice_payments", invoice_id=invoice["id"], amount=invoice["due_amount"])


def _one(rows: list[_Row], chance: random.Random) -> list[_Row]:
    """Some row, as a list; an empty one where there is none, as in an account of which most was deleted."""
    return [chance.choice(rows)] if rows else []


def _slots(harvest: Harvest, kinds: str) -> list[Row]:
    """Who may track on which project; nobody where no kind of work, or of expense, is left."""
    return _active(harvest, "user_assignments") if _active(harvest, kinds) else []


def _active(harvest: Harvest, table: str) -> list[Row]:
    return [row for row in harvest.state.tables[table].listed() if row["is_active"]]


def _in_state(harvest: Harvest, state: str) -> list[Row]:
    return [row for row in harvest.state.tables["invoices"].listed() if row["state"] == state]


def _unlocked(harvest: Harvest) -> list[Row]:
    """The newest entries that may still be changed."""
    newest = harvest.state.tables["time_entries"].listed()[:400]
    return [entry for entry in newest if not (entry["is_locked"] or entry["is_running"])]
