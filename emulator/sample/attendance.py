"""Who was at work on which day, on what, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from emulator.sample.builder import LAST_DAY, LEFT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from emulator.account.state import Row
    from emulator.sample.builder import Builder

_MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)
_ARCHIVED_AFTER = timedelta(days=150)  # how long people work on what is archived today
_LAST_ARCHIVED = date(2025, 12, 19)
_PROJECTS_AT_A_TIME = 6


@dataclass(frozen=True)
class Habits:
    """How somebody works."""

    capacity: int  # hours a week
    weekdays: tuple[int, ...]  # 0 is Monday
    hours: float  # of a usual day
    overhead: float  # the share of entries that no client pays for
    begins: int = 540  # minute of the day


# Users take turns at these; numbers 4 and 9 are contractors, as `account` has it.
_HABITS = (
    Habits(40, _MONDAY_TO_FRIDAY, 7.1, 0.24, begins=570),
    Habits(40, _MONDAY_TO_FRIDAY, 8.6, 0.24),
    Habits(32, (0, 1, 2, 3), 8.3, 0.16, begins=510),  # Fridays off
    Habits(40, _MONDAY_TO_FRIDAY, 8.1, 0.18),
    Habits(35, (1,), 7.0, 0.0, begins=600),  # a contractor for some hours
    Habits(40, _MONDAY_TO_FRIDAY, 8.9, 0.20),
    Habits(30, _MONDAY_TO_FRIDAY, 5.7, 0.20, begins=510),  # short days
    Habits(40, _MONDAY_TO_FRIDAY, 7.6, 0.15),
    Habits(40, _MONDAY_TO_FRIDAY, 8.3, 0.28, begins=570),
    Habits(35, (0, 2, 3), 7.4, 0.10, begins=600),  # a contractor for three days a week
)

# How a day begins, in hours; what is left of it is one more entry.
_BEGINNINGS = (
    *((0.33, 2.5), (3.5,), (1.0, 0.5, 1.5), (2.11, 0.75), (0.5, 2.0, 0.33), (4.0,), (1.25, 2.25), (0.25, 3.0)),
    *((1.5, 1.0, 0.5), (0.33, 1.75, 0.92), (2.5, 0.5)),
)


def habits_of(number: int) -> Habits:
    """The habits of a user, counted from 0."""
    return _HABITS[number % len(_HABITS)]


@dataclass(frozen=True)
class Slot:
    """A person's place on a project, and from when to when it was worked on: [first, last]."""

    assignment: Row
    first: date
    last: date
    is_billable: bool


@dataclass(frozen=True)
class Workday:
    """One person's day: the hours of each entry in order, and the projects there were to work on."""

    day: date
    habits: Habits
    hours: list[float]
    slots: list[Slot]
    billable: list[Slot]  # those that are for a client who pays, or all where there are none
    focus: Slot

    def cut(self, pieces: int, most: int) -> Workday:
        """The same day with each entry in so many pieces, not all of the same length, and at most so many in all."""
        if pieces == 1:
            return replace(self, hours=self.hours[:most])
        parts = [(each / pieces, (0.6, 1.4)[n % 2]) for each in self.hours for n in range(pieces)]
        return replace(self, hours=[max(0.05, round(even * share, 2)) for even, share in parts[:most]])


def workdays(builder: Builder) -> list[Workday]:
    """Every day of every person, week by week, from the first week after the first project was begun."""
    people = _people(builder)
    monday = min(slot.first for slots in people for slot in slots)
    monday += timedelta(days=-monday.weekday() % 7)
    found: list[Workday] = []
    while monday <= LAST_DAY:
        for number, slots in enumerate(people):
            is_on_leave = (monday.toordinal() // 7 + number * 5) % 13 == 0
            here = [slot for slot in slots if slot.first <= monday <= slot.last][-_PROJECTS_AT_A_TIME:]
            if here and not is_on_leave:
                found += _week(builder.chance, number, monday, here)
        monday += timedelta(days=7)
    return found


def _people(builder: Builder) -> list[list[Slot]]:
    """The slots of each user, in the order in which they came to them."""
    rows = builder.state.tables
    slots: dict[int, list[Slot]] = {user_id: [] for user_id in rows["users"].rows}
    for assignment in rows["user_assignments"].rows.values():
        user, project = assignment["user"]["id"], rows["projects"].rows[assignment["project"]["id"]]
        first = date.fromisoformat(assignment["created_at"][:10]) + timedelta(days=1)
        last = LAST_DAY
        if not rows["users"].rows[user]["is_active"]:
            last = LEFT
        elif not (assignment["is_active"] and project["is_active"]):
            last = min(first + _ARCHIVED_AFTER, _LAST_ARCHIVED)
        slots[user].append(Slot(assignment, first, last, project["is_billable"]))
    return list(slots.values())


def _week(chance: Random, number: int, monday: date, slots: list[Slot]) -> Iterator[Workday]:
    """The days of a week. People keep to one project for three weeks, and do less on others beside it."""
    habits = habits_of(number)
    billable = [slot for slot in slots if slot.is_billable] or slots
    focus = billable[(monday.toordinal() // 21 + number) % len(billable)]
    for weekday in habits.weekdays:
        day = monday + timedelta(days=weekday)
        is_ill = chance.random() < 0.025
        if not (is_ill or _is_closed(day)):
            yield Workday(day, habits, _hours(chance, number, habits), slots, billable, focus)


def _is_closed(day: date) -> bool:
    """Between Christmas Eve and New Year nobody is there."""
    return (day.month, day.day) >= (12, 24) or (day.month, day.day) == (1, 1)


def _hours(chance: Random, number: int, habits: Habits) -> list[float]:
    """The hours of a day's entries; every second person tracks them by the minute, the others by the quarter."""
    beginning = chance.choice(_BEGINNINGS)
    rest = habits.hours * (0.85 + 0.3 * chance.random()) - sum(beginning)
    return [*beginning, round(rest, 2) if number % 2 else round(rest * 4) / 4]
