"""The builder of a new account: its dates, its size and its random numbers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from emulator.account.rows import new_row
from emulator.account.state import Row, State
from emulator.account.timestamps import stamp

FOUNDED = datetime(2024, 3, 4, 7, 0, tzinfo=timezone.utc)
BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)  # the start of the account's clock, after all its rows
LAST_DAY = date(2026, 2, 27)  # the last day of work in a new account
LEFT = date(2025, 8, 29)  # the last day of users that are archived


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
    has_paid_time_off: bool = True


SIZES = {
    "xs": Size(users=6, clients=4, projects=8, entries=120, invoices=12, estimates=8, expenses=10),
    "s": Size(users=12, clients=15, projects=30, entries=3_000, invoices=60, estimates=24, expenses=150),
    "m": Size(
        users=40,
        clients=60,
        projects=150,
        entries=20_000,
        invoices=500,
        estimates=120,
        expenses=1_200,
        has_paid_time_off=False,
    ),
    "l": Size(
        users=150,
        clients=400,
        projects=1_200,
        entries=1_000_000,
        invoices=10_000,
        estimates=2_000,
        expenses=30_000,
        has_paid_time_off=False,
    ),
}


class Builder:
    """The rows built so far, the account's size, and one source of random numbers."""

    def __init__(self, state: State, size: Size, seed: int) -> None:
        self.state = state
        self.size = size
        self.chance = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def put(self, table: str, created: str, parent_id: int | None = None, /, **values: Any) -> Row:
        """Add a row; `updated_at` is `created_at` unless given."""
        row = new_row(self.state, table, {"created_at": created, "updated_at": created, **values})
        return self.state.put(table, row, parent_id)

    def moments(self, count: int, until: float, lean: float = 1.0) -> list[str]:
        """That many timestamps in order, from the founding day to the given part (0 to 1) of the two years.

        With a `lean` below 1 more of them fall into later months.
        """
        span = (BEGINNING - FOUNDED).total_seconds() * until
        offsets = sorted(int(self.chance.random() ** lean * span) for _ in range(count - 1))
        return [stamp(FOUNDED + timedelta(seconds=offset)) for offset in (0, *offsets)]
