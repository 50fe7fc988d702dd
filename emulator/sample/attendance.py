"""Which users worked on which days, on which projects, and for how long."""

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
_ARCHIVED_AFTER = timedelta(days=150)  # how long a project or assignment that is archived was worked on
_LAST_ARCHIVED = date(2025, 12, 19)
_PROJECTS_AT_A_TIME = 6


@dataclass(frozen=True)
class Habits:
    """How a user works."""

    capacity: int  # hours a week
    weekdays: tuple[int, ...]  # 0 is Monday
    hours: float  # of an average day
    overhead: float  # the share of entries that are not billable
    begins: int = 540  # minute of the day


# User n has the habits n modulo 10; users 4 and 9 are contractors, as in `agency.py`.
_HABITS = (
    Habits(40, _MONDAY_TO_FRIDAY, 7.1, 0.24, begins=570),
    Habits(40, _MONDAY_TO_FRIDAY, 8.6, 0.24),
    Habits(32, (0, 1, 2, 3), 8.3, 0.16, begins=510),  # Fridays off
    Habits(40, _MONDAY_TO_FRIDAY, 8.1, 0.18),
    Habits(35, (1,), 7.0, 0.0, begins=600),  # a contractor for a few hours a week
    Habits(40, _MONDAY_TO_FRIDAY, 8.9, 0.20),
    Habits(30, _MONDAY_TO_FRIDAY, 5.7, 0.20, begins=510),  # short days
    Habits(40, _MONDAY_TO_FRIDAY, 7.6, 0.15),
    Habits(40, _MONDAY_TO_FRIDAY, 8.3, 0.28, begins=570),
    Habits(35, (0, 2, 3), 7.4, 0.10, begins=600),  # a contractor for three days a week
)

# The hours of a day's first entries; the rest of the day is one more entry.
_FIRST_HOURS = (
    *((0.33, 2.5), (3.5,), (1.0, 0.5, 1.5), (2.11, 0.75), (0.5, 2.0, 0.33), (4.0,), (1.25, 2.25), (0.25, 3.0)),
    *((1.5, 1.0, 0.5), (0.33, 1.75, 0.92), (2.5, 0.5)),
)


def habits_of(number: int) -> Habits:
    """The habits of the user with that number, from 0."""
    return _HABITS[number % len(_HABITS)]


@dataclass(frozen=True)
class WorkedAssignment:
    """A user's assignment to a project, and the days on which they worked on it: [first, last]."""

    assignment: Row
    first: date
    last: date
    is_billable: bool


@dataclass(frozen=True)
class Workday:
    """A user's day: the hours of each entry in order, and the assignments that they could work on."""

    day: date
    habits: Habits
    hours: list[float]
    assignments: list[WorkedAssignment]
    billable: list[WorkedAssignment]  # those on billable projects; all if there are none
    focus: WorkedAssignment

    def cut(self, pieces: int, most: int) -> Workday:
        """The same day with each entry split into `pieces` of different lengths; at most `most` entries in all."""
        if pieces == 1:
            return replace(self, hours=self.hours[:most])
        parts = [(each / pieces, (0.6, 1.4)[n % 2]) for each in self.hours for n in range(pieces)]
        return replace(self, hours=[max(0.05, round(even * share, 2)) for even, share in parts[:most]])


def workdays(builder: Builder) -> list[Workday]:
    """Every working day of every user, week by week, from the first full week of the first project."""
    people = _people(builder)
    monday = min(each.first for assignments in people for each in assignments)
    monday += timedelta(days=-monday.weekday() % 7)
    found: list[Workday] = []
    while monday <= LAST_DAY:
        for number, assignments in enumerate(people):
            here = [each for each in assignments if each.first <= monday <= each.last][-_PROJECTS_AT_A_TIME:]
            if here and not is_on_leave(number, monday):
                found += _week(builder.chance, number, monday, here)
        monday += timedelta(days=7)
    return found


def is_on_leave(number: int, monday: date) -> bool:
    """Whether the user with that number, from 0, is on leave in a week."""
    return (monday.toordinal() // 7 + number * 5) % 13 == 0


def _people(builder: Builder) -> list[list[WorkedAssignment]]:
    """The assignments of each user with their days, oldest first."""
    rows = builder.state.tables
    assignments: dict[int, list[WorkedAssignment]] = {user_id: [] for user_id in rows["users"].rows}
    for assignment in rows["user_assignments"].rows.values():
        user, project = assignment["user"]["id"], rows["projects"].rows[assignment["project"]["id"]]
        first = date.fromisoformat(assignment["created_at"][:10]) + timedelta(days=1)
        last = LAST_DAY
        if not rows["users"].rows[user]["is_active"]:
            last = LEFT
        elif not (assignment["is_active"] and project["is_active"]):
            last = min(first + _ARCHIVED_AFTER, _LAST_ARCHIVED)
        assignments[user].append(WorkedAssignment(assignment, first, last, project["is_billable"]))
    return list(assignments.values())


def _week(chance: Random, number: int, monday: date, assignments: list[WorkedAssignment]) -> Iterator[Workday]:
    """The days of a week. A user works mainly on one project for three weeks, and less on others."""
    habits = habits_of(number)
    billable = [each for each in assignments if each.is_billable] or assignments
    focus = billable[(monday.toordinal() // 21 + number) % len(billable)]
    for weekday in habits.weekdays:
        day = monday + timedelta(days=weekday)
        is_ill = chance.random() < 0.025
        if not (is_ill or _is_closed(day)):
            yield Workday(day, habits, _hours(chance, number, habits), assignments, billable, focus)


def _is_closed(day: date) -> bool:
    """From Christmas Eve to New Year's Day nobody works."""
    return (day.month, day.day) >= (12, 24) or (day.month, day.day) == (1, 1)


def _hours(chance: Random, number: int, habits: Habits) -> list[float]:
    """The hours of a day's entries. Every second user tracks minutes, the others quarters of an hour."""
    first = chance.choice(_FIRST_HOURS)
    rest = habits.hours * (0.85 + 0.3 * chance.random()) - sum(first)
    return [*first, round(rest, 2) if number % 2 else round(rest * 4) / 4]
