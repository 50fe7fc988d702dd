"""The account in a test's hand: its rows, its clock, its settings, and the requests that arrived."""

from __future__ import annotations

from datetime import datetime
from threading import RLock
from typing import Any

import orjson

from emulator.account import changes
from emulator.account.amounts import cents, rounded
from emulator.account.assignment_lists import project_assignments, teammates
from emulator.account.clock import Clock, stamp
from emulator.account.state import Row, State
from emulator.sample.agency import build
from emulator.sample.builder import BEGINNING
from emulator.sample.working_day import work
from emulator.server.faults import Faults
from emulator.server.oauth import OAuth
from emulator.server.permissions import Reader, reader
from emulator.server.rate_limit import Request, Window
from emulator.server.settings import Settings
from emulator.server.views import view_of


class Harvest(Settings):
    """A deterministic agency account of a size (xs, s, m, l); the same size and seed give the same account.

    Every method may be called while a server answers from the same account.
    """

    def __init__(self, size: str = "xs", seed: int = 0) -> None:
        super().__init__()
        self.lock = RLock()
        self.clock = Clock(BEGINNING)
        self.account_id = 1_486_203
        self.subdomain = "northlight"
        self.state = State()
        self.seed = seed
        build(self.state, size, seed)
        self.requests: list[Request] = []
        self.faults = Faults()
        self.windows = {"general": Window(), "reports": Window()}
        administrator = self._users("administrator")[0]
        self.oauth = OAuth(self.account_id, administrator["id"])
        self.token = self.oauth.personal_token(administrator["id"])
        self.accounts: list[Row] = [
            {"id": 1_486_977, "name": "Northlight Studio", "product": "forecast"},
            {"id": self.account_id, "name": "Northlight Studio", "product": "harvest"},
        ]

    def listed(self, name: str) -> list[Row]:
        """All records of a list, whole, as the API would send them now to an administrator."""
        with self.lock:
            self.tick()
            return self._sent(name, self.state.table(name).listed())

    def children(self, name: str, parent_id: int) -> list[Row]:
        """The records below one invoice, estimate or user, whole, as the API would send them now."""
        with self.lock:
            if name == "teammates":
                return self._sent(name, teammates(self.state, parent_id))
            if name == "project_assignments":
                return self._sent(name, project_assignments(self.state, parent_id))
            return self._sent(name, self.state.table(name, parent_id).listed())

    def add(self, table: str, /, **values: Any) -> int:
        """Create a row; what is not given has a sensible default. Returns its id.

        References are given by id (`client_id=...`), children name their parent (`invoice_id=...`), and an invoice
        may bill time and expenses (`time_entry_ids`, `expense_ids`).
        """
        with self.lock:
            row_id: int = changes.add(self.state, stamp(self.clock.now()), table, values)["id"]
            return row_id

    def update(self, table: str, row_id: int, /, *, bump: bool = True, **values: Any) -> None:
        """Set fields of a row; without `bump` its `updated_at` stays, so that no list of changes shows it."""
        with self.lock:
            if not bump:
                values = {"updated_at": self.state.row(table, row_id)["updated_at"], **values}
            changes.update(self.state, stamp(self.clock.now()), table, row_id, values)

    def delete(self, table: str, row_id: int) -> None:
        """Delete a row for good, with what belongs to it. `ValueError` with Harvest's words where it refuses."""
        with self.lock:
            changes.delete(self.state, stamp(self.clock.now()), table, row_id)

    def work(self, days: int = 1) -> None:
        """Let working days pass: entries, edits, invoices, payments, messages, assignments, deletions."""
        with self.lock:
            for _ in range(days):
                work(self)

    def token_for(self, role: str, *permissions: str) -> str:
        """A valid token of a user with that access role: administrator, manager or member.

        A manager has exactly the permissions named, such as "estimates_manager"; the user's row follows.
        """
        with self.lock:
            user = self._users(role)[0]
            if role == "manager":
                self.update("users", user["id"], bump=False, access_roles=["manager", *permissions])
            return self.oauth.personal_token(user["id"])

    def reader(self, user_id: int) -> Reader:
        """Who a user is to the API."""
        return reader(self.state, user_id)

    def tick(self) -> None:
        """Let running timers show the hours up to now."""
        now = self.clock.now()
        for row_id in self.state.running:
            entry = self.state.row("time_entries", row_id)
            elapsed = _hours_between(entry["timer_started_at"], now)
            entry["hours"] = cents(entry["hours_without_timer"] + elapsed)
            entry["rounded_hours"] = rounded(entry["hours"])

    def _users(self, role: str) -> list[Row]:
        users = self.state.table("users").rows.values()
        found = [user for user in users if user["is_active"] and role in user["access_roles"]]
        if not found:
            raise ValueError(f"no active user is {role!r}; roles are administrator, manager and member")
        return found

    def _sent(self, name: str, rows: list[Row]) -> list[Row]:
        view = view_of(name, self.reader(self._users("administrator")[0]["id"]), self)
        sent: list[Row] = orjson.loads(orjson.dumps([view(row) for row in rows] if view else rows))
        return sent


def _hours_between(start: str, end: datetime) -> float:
    return (end - datetime.fromisoformat(start.replace("Z", "+00:00"))).total_seconds() / 3600
