"""Time entries of a new account: most of them in the last months, few before."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from emulator.account.amounts import rounded
from emulator.account.derived_values import billable_rate
from emulator.account.rows import new_row
from emulator.sample import names
from emulator.sample.attendance import workdays
from emulator.sample.billing import Invoiced
from emulator.sample.builder import LAST_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from emulator.account.state import Row, State
    from emulator.sample.attendance import Workday
    from emulator.sample.builder import Builder

    # An entry to build: the second of the day (UTC) at which it was created, a number unique in its day, its start and
    # end (minutes of the local day), its hours and date, and the templates that entries take by turns.
    Draft = tuple[int, int, int, int, float, str, tuple[Row, ...]]

_FIRST_TIMED_DAY = "2024-09-02"  # from this day on, entries have a start and an end
_FIRST_OPEN_DAY = "2026-02-01"  # entries before this day are approved
_LAST_OLD_DAY = "2025-06-30"  # the last day of work on archived tasks
_NOON, _LUNCH, _AFTER_MIDNIGHT = 750, 45, 15  # minutes
_MORNING = 28_800  # no entry is created before this second of the day (UTC)
_TIMER_STARTED = "2026-03-02T08:12:00Z"


def build_timesheets(builder: Builder) -> None:
    """Entries of whole days: some created days later, the older ones approved, many invoiced.

    A large account has a million entries, so each is a copy of a template with a few fields set.
    """
    state = builder.state
    templates, invoiced = _Templates(state), Invoiced(state)
    entries = state.tables["time_entries"].rows
    i = 0
    for created_on, days in _by_day_created(_chosen(builder)):
        for second, _, begun, ended, hours, spent, copied in sorted(_drafts(days, templates, builder.chance)):
            created = created_on + _utc_time(second)
            row = {
                **copied[i % 6],
                "id": state.new_id("time_entries"),
                "spent_date": spent,
                "hours": hours,
                "hours_without_timer": hours,
                "rounded_hours": _rounded(hours),
                "notes": None if i % 19 == 18 else names.NOTES[i % len(names.NOTES)],
                "created_at": created,
                "updated_at": created,
            }
            if spent >= _FIRST_TIMED_DAY:
                start = _AFTER_MIDNIGHT if i % 101 == 50 else begun
                row["started_time"], row["ended_time"] = _clock_time(start), _clock_time(start + ended - begun)
            if i % 11 == 3:
                row["external_reference"] = _external_reference(i)
            if i % 29 == 7:
                row["user_assignment"] = None
            if i % 31 == 9:
                row["task_assignment"] = None
            _set_locks(row, invoiced)
            entries[row["id"]] = row
            i += 1
    assignments = state.tables["user_assignments"].rows.values()
    _start_timer(builder, next(assignment for assignment in assignments if assignment["is_active"]), templates)


@cache
def _utc_time(second: int) -> str:
    return f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


@cache
def _clock_time(minute: int) -> str:
    """A minute of the day on a 12-hour clock."""
    minute %= 1440
    return f"{(minute // 60 - 1) % 12 + 1}:{minute % 60:02}{'am' if minute < 720 else 'pm'}"


_rounded = cache(rounded)


def _chosen(builder: Builder) -> list[Workday]:
    """The working days that together have the account's number of entries.

    About nine in ten entries belong to the last days, of which all are chosen. The others belong to the first day, to
    the last day of each project, and to random earlier days, more of them later ones.
    """
    days, missing = workdays(builder), builder.size.entries
    # More than 1 if the users have too few days in two years.
    pieces = -(-missing // sum(len(day.hours) for day in days))
    tail = missing // 10 + 25
    chosen: list[Workday] = []

    def choose(day: Workday) -> int:
        chosen.append(day.cut(pieces, most=missing))
        return len(chosen[-1].hours)

    while missing > tail:
        missing -= choose(days.pop())
    older = sorted(range(1, len(days)), key=lambda n: builder.chance.random() / n)
    ends = {day.focus.last: n for n, day in enumerate(days)}
    for n in dict.fromkeys((0, *ends.values(), *older)):
        if missing:
            missing -= choose(days[n])
    return chosen


def _by_day_created(chosen: list[Workday]) -> list[tuple[str, list[Workday]]]:
    """The days grouped by the date on which their entries were created: the same, the next weekday, or weeks later."""
    found: dict[str, list[Workday]] = {}
    for k, work in enumerate(chosen):
        delay = 28 if k % 23 == 22 else (3 if work.day.weekday() == 4 else 1) if k % 6 == 5 else 0
        noted = work.day + timedelta(days=delay)
        found.setdefault((noted if noted <= LAST_DAY else work.day).isoformat(), []).append(work)
    return sorted(found.items())


def _drafts(days: list[Workday], templates: _Templates, chance: Random) -> Iterator[Draft]:
    """The entries of days whose entries were created on one date."""
    serial = 0
    for work in days:
        spent, longest = work.day.isoformat(), max(work.hours)
        begun, overhead = work.habits.begins, work.habits.overhead
        is_old = spent <= _LAST_OLD_DAY
        for hours in work.hours:
            serial += 1
            ended = begun + round(hours * 60)
            is_overhead = chance.random() < overhead
            if hours == longest:
                assignment = work.focus
            else:
                beside = work.assignments if is_overhead else work.billable
                assignment = beside[int(chance.random() * len(beside))]
            second = max(_MORNING, ended * 60 - 3600 + serial % 60)
            yield second, serial, begun, ended, hours, spent, templates.of(assignment.assignment, is_overhead, is_old)
            begun = ended + (_LUNCH if begun < _NOON <= ended else 0)


class _Templates:
    """Rows to copy: what all entries of one user on one task of one project have in common."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._made: dict[tuple[int, bool, bool], tuple[Row, ...]] = {}
        self._tasks: dict[int, list[Row]] = {}
        for row in state.tables["task_assignments"].rows.values():
            self._tasks.setdefault(row["project"]["id"], []).append(row)

    def of(self, user_assignment: Row, is_overhead: bool, is_old: bool) -> tuple[Row, ...]:
        """Six templates, most of them of the user's main task.

        Their tasks are billable or not (`is_overhead`), if the project has both. Only old entries have archived tasks.
        """
        key = (user_assignment["id"], is_overhead, is_old)
        if key not in self._made:
            here = [row for row in self._tasks[user_assignment["project"]["id"]] if row["is_active"] or is_old]
            tasks = [row for row in here if row["billable"] != is_overhead] or here
            turns = [user_assignment["user"]["id"] + more for more in (0, 0, 0, 0, 1, 2)]
            made = {n % len(tasks): self._make(user_assignment, tasks[n % len(tasks)]) for n in turns}
            self._made[key] = tuple(made[n % len(tasks)] for n in turns)
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


def _set_locks(row: Row, invoiced: Invoiced) -> None:
    """Lock an entry that is invoiced, approved or archived, and give Harvest's reason."""
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


def _start_timer(builder: Builder, assignment: Row, templates: _Templates) -> None:
    """Add an entry with a running timer."""
    row = {
        **templates.of(assignment, is_overhead=False, is_old=False)[0],
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
