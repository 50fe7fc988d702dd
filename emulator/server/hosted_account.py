"""An account as Harvest hosts it: what the server needs to know of it, and what a test sees and sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from emulator.account.account import Account
from emulator.server.faults import Faults
from emulator.server.oauth import OAuth
from emulator.server.permissions import ApiUser, api_user
from emulator.server.rate_limit import Window
from emulator.server.settings import Settings
from emulator.server.views import view_of

if TYPE_CHECKING:
    from datetime import datetime

    from emulator.account.state import Row, State
    from emulator.server.request_log import Request


class HostedAccount(Account, Settings):
    """An account with its tokens and settings, the faults to come, and the requests that arrived."""

    def __init__(self, state: State, now: datetime) -> None:
        Account.__init__(self, state, now)
        Settings.__init__(self)
        self.account_id = 1_486_203
        self.subdomain = "northlight"
        self.requests: list[Request] = []
        self.faults = Faults()
        self.windows = {"general": Window(), "reports": Window()}
        administrator = self._user("administrator")["id"]
        self.oauth = OAuth(self.account_id, administrator)
        self.token = self.oauth.personal_token(administrator)
        self.accounts: list[Row] = [
            {"id": 1_486_977, "name": "Northlight Studio", "product": "forecast"},
            {"id": self.account_id, "name": "Northlight Studio", "product": "harvest"},
        ]

    def listed(self, name: str) -> list[Row]:
        """All records of a list, as the API would send them now to an administrator."""
        with self.lock:
            self.tick()
            return self._sent(name, self.state.table(name).listed())

    def children(self, name: str, parent_id: int) -> list[Row]:
        """The records of one invoice, estimate or user, as the API would send them now to an administrator."""
        with self.lock:
            return self._sent(name, self.rows_below(name, parent_id))

    def token_for(self, role: str, *permissions: str) -> str:
        """A valid token of a user with that access role: administrator, manager or member.

        A manager gets exactly the permissions named, such as "estimates_manager", and the user's row shows them.
        """
        with self.lock:
            user = self._user(role)
            if role == "manager":
                self.update("users", user["id"], bump=False, access_roles=["manager", *permissions])
            return self.oauth.personal_token(user["id"])

    def api_user(self, user_id: int) -> ApiUser:
        """The user with the roles and assignments of now."""
        return api_user(self.state, user_id)

    def _user(self, role: str) -> Row:
        for user in self.state.table("users").rows.values():
            if user["is_active"] and role in user["access_roles"]:
                return user
        raise ValueError(f"no active user is {role!r}; roles are administrator, manager and member")

    def _sent(self, name: str, rows: list[Row]) -> list[Row]:
        view = view_of(name, self.api_user(self._user("administrator")["id"]), self)
        sent: list[Row] = orjson.loads(orjson.dumps([view(row) for row in rows] if view else rows))
        return sent
