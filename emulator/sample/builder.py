"""What all parts of an account are built with."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from emulator.account.clock import stamp
from emulator.account.rows import new_row
from emulator.account.state import Row, State

FOUNDED = datetime(2024, 3, 4, 7, 0, tzinfo=timezone.utc)
BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)  # where the account's clock starts, after all its rows
LAST_DAY = date(2026, 2, 27)  # of work before that
LEFT = date(2025, 8, 29)  # when those who are archived today went


@dataclass(frozen=True)
class Size:
    """How many rows an account of this size has."""

    users: int
    clients: int
    projects: int
    entries: int
    invoices: int
    estimates: int
    expenses: int


SIZES = {
    "xs": Size(users=6, clients=4, projects=8, entries=120, invoices=12, estimates=8, expenses=10),
    "s": Size(users=12, clients=15, projects=30, entries=3_000, invoices=60, estimates=24, expenses=150),
    "m": Size(users=40, clients=60, projects=150, entries=20_000, invoices=500, estimates=120, expenses=1_200),
    "l": Size(
        users=150, clients=400, projects=1_200, entries=1_000_000, invoices=10_000, estimates=2_000, expenses=30_000
    ),
}


class Builder:
    """What all parts of an account are built with: the state, the size and one source of chance."""

    def __init__(self, state: State, size: Size, seed: int) -> None:
        self.state = state
        self.size = size
        self.chance = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def put(self, table: str, created: str, parent_id: int | None = None, /, **values: Any) -> Row:
        """A new row; `updated_at` is `created_at` unless given."""
        row = new_row(self.state, table, {"created_at": created, "updated_at": created, **values})
        return self.state.put(table, row, parent_id)

    def moments(self, count: int, until: float, lean: float = 1.0) -> list[str]:
        """So many moments in order, the first on the founding day, the last before that part of the two years.

        With a lean below one the later months have more of them.
        """
        span = (BEGINNING - FOUNDED).total_seconds() * until
        offsets = sorted(int(self.chance.random() ** lean * span) for _ in range(count - 1))
        return [stamp(FOUNDED + timedelta(seconds=offset)) for offset in (0, *offsets)]


def later(moment: str, **duration: float) -> str:
    """A moment so much later, given by the parts of a `timedelta`."""
    return stamp(datetime.fromisoformat(moment.replace("Z", "+00:00")) + timedelta(**duration))
