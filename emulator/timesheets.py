"""Time entries of a new account: two years of working days."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, timedelta
from typing import TYPE_CHECKING

from emulator import names
from emulator.billing import Invoiced
from emulator.money import rounded
from emulator.prepare import billable_rate
from emulator.rows import new_row

if TYPE_CHECKING:
    from emulator.builder import Builder
    from emulator.state import Row, State

_HOURS = (2.5, 0.33, 1.0, 4.0, 0.75, 2.11, 7.5, 1.25, 3.0)
_QUARTERS = tuple(rounded(hours) for hours in _HOURS)
_LAST_DAY = date(2026, 2, 27)
_FIRST_TIMED_DAY = "2024-09-02"  # from here on the account records when work began and ended
_FIRST_OPEN_DAY = "2026-01-01"  # what was done before it is approved
_TIMER_STARTED = "2026-03-02T08:12:00Z"


def clock_time(hour: float) -> str:
    """A time of day as accounts with a 12 hour clock show it."""
    minutes = round(hour * 60) % 1440
    half = "am" if minutes < 720 else "pm"
    return f"{(minutes // 60 - 1) % 12 + 1}:{minutes % 60:02}{half}"


_TIMES = [[(clock_time(start), clock_time(start + hours)) for hours in _HOURS] for start in (9, 13, 0.25)]


def build_timesheets(builder: Builder) -> None:
    """Entries spread evenly over the working days, some back-dated, the older ones approved, many invoiced.

    A large account has a million of them, so each is a copy of a template with a few fields set.
    """
    state, chance = builder.state, builder.chance
    slots = list(state.tables["user_assignments"].rows.values())
    slot_days = [slot["created_at"][:10] for slot in slots]
    templates, invoiced = _Templates(state), Invoiced(state)
    days = _working_days(date.fromisoformat(slot_days[0]) + timedelta(days=1))
    entries = state.tables["time_entries"].rows
    for i in range(builder.size.entries):
        number, position = divmod(i * len(days), builder.size.entries)
        day = days[number]
        slot = int(chance.random() * bisect_left(slot_days, day))
        template = templates.of(slots[slot], i)
        second = 28_800 + position * 36_000 // builder.size.entries
        created = f"{day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        h = i * 7 % len(_HOURS)
        row = {
            **template,
            "id": state.new_id("time_entries"),
            "spent_date": max(days[max(0, number - 20)], slot_days[slot]) if i % 23 == 22 else day,
            "hours": _HOURS[h],
            "hours_without_timer": _HOURS[h],
            "rounded_hours": _QUARTERS[h],
            "notes": None if i % 19 == 18 else names.NOTES[i % len(names.NOTES)],
            "created_at": created,
            "updated_at": created,
        }
        if day >= _FIRST_TIMED_DAY:
            row["started_time"], row["ended_time"] = _TIMES[i % len(_TIMES)][h]
        if i % 11 == 3:
            row["external_reference"] = _external_reference(i)
        if i % 29 == 7:
            row["user_assignment"] = None
        if i % 31 == 9:
            row["task_assignment"] = None
        _close(row, invoiced)
        entries[row["id"]] = row
    _start_timer(builder, next(slot for slot in slots if slot["is_active"]), templates)


def _working_days(first: date) -> list[str]:
    days = (first + timedelta(days=n) for n in range((_LAST_DAY - first).days + 1))
    return [day.isoformat() for day in days if day.weekday() < 5]


class _Templates:
    """What all entries of one person on one task of one project have in common."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._made: dict[tuple[int, int], Row] = {}
        self._tasks: dict[int, list[Row]] = {}
        for row in state.tables["task_assignments"].rows.values():
            self._tasks.setdefault(row["project"]["id"], []).append(row)

    def of(self, user_assignment: Row, i: int) -> Row:
        tasks = self._tasks[user_assignment["project"]["id"]]
        task_assignment = tasks[i % len(tasks)]
        key = (user_assignment["id"], task_assignment["id"])
        if key not in self._made:
            self._made[key] = self._make(user_assignment, task_assignment)
        return self._made[key]

    def _make(self, user_assignment: Row, task_assignment: Row) -> Row:
        state = self._state
        project = state.row("projects", user_assignment["project"]["id"])
        values = {
            "user_id": user_assignment["user"]["id"],
            "client_id": project["client"]["id"],
            "project_id": project["id"],
            "task_id": task_assignment["task"]["id"],
            "user_assignment_id": user_assignment["id"],
            "task_assignment_id": task_assignment["id"],
            "billable": task_assignment["billable"],
            "budgeted": project["budget_by"] != "none",
            "cost_rate": state.row("users", user_assignment["user"]["id"])["cost_rate"],
        }
        row = new_row(state, "time_entries", {**values, "billable_rate": billable_rate(state, values)})
        if not (project["is_active"] and state.row("tasks", values["task_id"])["is_active"]):
            row |= {"is_locked": True, "locked_reason": "Item Archived"}
        return row


def _close(row: Row, invoiced: Invoiced) -> None:
    """Lock what is invoiced, approved or archived, with Harvest's words for each."""
    invoice = invoiced.by(row) if row["billable_rate"] is not None else None
    is_approved = row["spent_date"] < _FIRST_OPEN_DAY
    words = ["Invoiced"] if invoice else []
    if row["locked_reason"] == "Item Archived":
        words.append("Archived")
    elif is_approved:
        words.append("Approved and Locked for this Time Period")
    if is_approved:
        row.update(is_closed=True, approval_status="approved", updated_at=f"{row['created_at'][:10]}T19:00:00Z")
    if invoice:
        row.update(invoice=invoice["reference"], is_billed=True)
        row["updated_at"] = max(row["updated_at"], invoice["created_at"])
    if words:
        row.update(is_locked=True, locked_reason="Item " + " and ".join(words))


def _external_reference(i: int) -> Row:
    service, key = (("jira", f"AB-{i}"), ("trello", f"{i * 7919:024x}"), ("asana", str(1_200_000_000_000 + i)))[i % 3]
    return {
        "id": key,
        "group_id": ("AB", None, "77120")[i % 3],
        "account_id": "northlight",
        "permalink": f"https://{service}.example/{key}",
        "service": f"{service}.example",
        "service_icon_url": f"https://{service}.example/icon.png" if i % 2 else None,
    }


def _start_timer(builder: Builder, slot: Row, templates: _Templates) -> None:
    """Somebody is at work while one looks."""
    row = {
        **templates.of(slot, 0),
        "id": builder.state.new_id("time_entries"),
        "spent_date": _TIMER_STARTED[:10],
        "hours": 0.25,
        "hours_without_timer": 0.25,
        "rounded_hours": 0.25,
        "is_running": True,
        "timer_started_at": _TIMER_STARTED,
        "started_time": "9:12am",
        "created_at": _TIMER_STARTED,
        "updated_at": _TIMER_STARTED,
        "is_locked": False,
        "locked_reason": None,
    }
    builder.state.put("time_entries", row)
