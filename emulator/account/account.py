"""An account: its rows, its clock, and every way in which the rows change."""

from __future__ import annotations

from operator import itemgetter
from threading import RLock
from typing import TYPE_CHECKING, Any

from emulator.account import changes
from emulator.account.amounts import cents, rounded
from emulator.account.clock import Clock
from emulator.account.timestamps import moment_of, stamp

if TYPE_CHECKING:
    from datetime import datetime

    from emulator.account.state import Row, State


class Account:
    """The rows of one Harvest account, changed at the moment that its clock shows.

    Every method may be called while a server answers from the same account.
    """

    def __init__(self, state: State, now: datetime) -> None:
        self.lock = RLock()
        self.clock = Clock(now)
        self.state = state

    def add(self, table: str, /, **values: Any) -> int:
        """Create a row and return its id. A value that is not given has a sensible default.

        References are given by id (`client_id=...`), a child names its parent (`invoice_id=...`), and an invoice
        may bill time and expenses (`time_entry_ids`, `expense_ids`).
        """
        with self.lock:
            row_id: int = changes.add(self.state, stamp(self.clock.now()), table, values)["id"]
            return row_id

    def update(self, table: str, row_id: int, /, *, bump: bool = True, **values: Any) -> None:
        """Set fields of a row. Without `bump` its `updated_at` stays, so `updated_since` does not find the change."""
        with self.lock:
            if not bump:
                values = {"updated_at": self.state.row(table, row_id)["updated_at"], **values}
            changes.update(self.state, stamp(self.clock.now()), table, row_id, values)

    def delete(self, table: str, row_id: int) -> None:
        """Delete a row and the rows that belong to it. Raises `ValueError` with Harvest's words if it refuses."""
        with self.lock:
            changes.delete(self.state, stamp(self.clock.now()), table, row_id)

    def tick(self) -> None:
        """Set the hours of running timers to the clock."""
        now = self.clock.now()
        for row_id in self.state.running:
            entry = self.state.row("time_entries", row_id)
            started = moment_of(entry["timer_started_at"])
            entry["hours"] = cents(entry["hours_without_timer"] + (now - started).total_seconds() / 3600)
            entry["rounded_hours"] = rounded(entry["hours"])

    def rows_below(self, name: str, parent_id: int) -> list[Row]:
        """The rows of a list that one invoice, estimate or user has, in Harvest's order."""
        if name != "teammates":
            return self.state.table(name, parent_id).listed()
        users = [self.state.row("users", user_id) for user_id in self.state.teammates.get(parent_id, ())]
        users.sort(key=itemgetter("id"), reverse=True)
        return [{key: user[key] for key in ("id", "first_name", "last_name", "email")} for user in users]
