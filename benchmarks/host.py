"""`python -m benchmarks.host SIZE`: the emulated account in a process of its own, and a remote control for it.

Takes one JSON object a line, `{"do": "begin", …}`, and answers each with one line. `account.py` is the other end.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from benchmarks.lists import CHILDREN, LISTS, LIVING
from emulator import Harvest, Server
from emulator.account.clock import Clock, TickingClock
from emulator.account.timestamps import stamp
from emulator.server.rate_limit import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.account.state import Row

RECENTLY = timedelta(days=30)


class Host:
    """An account that was last worked on ten days ago, seen from yesterday until `pass_day`.

    Its clock is the real one from there on, because what a connector does once a day may follow its own clock.
    """

    def __init__(self, harvest: Harvest) -> None:
        now = datetime.now(timezone.utc)
        harvest.clock = Clock(now - timedelta(days=10))
        for table in CHILDREN:
            for row_id in _every(harvest, table, 20):
                harvest.update(table, row_id)
        harvest.clock = TickingClock(now - timedelta(days=1))
        self._harvest = harvest
        self._cpu = 0.0
        self.commands: dict[str, Callable[..., dict[str, Any]]] = {
            "content": self.content,
            "begin": self.begin,
            "tally": self.tally,
            "pass_day": self.pass_day,
            "change": self.change,
        }

    def content(self) -> dict[str, Any]:
        """How many rows each list has, and how many requests it takes to look below living or recent parents.

        Also how many users are managers, and on which day time and expenses begin.
        """
        return {
            "rows": {name: len(self._rows(name)) for name in LISTS},
            "visits": self._visits(self._is_alive),
            "managers": sum("manager" in user["access_roles"] for user in self._rows("users").values()),
            "begins": {
                name: min(row["spent_date"] for row in self._rows(name).values())
                for name in ("time_entries", "expenses")
            },
        }

    def begin(self, *, latency: float, limits: bool) -> dict[str, Any]:
        """Forget all requests; from now on answer after `latency` seconds, and by Harvest's limits or without."""
        self._harvest.requests.clear()
        self._harvest.windows.update(general=Window(), reports=Window())
        self._harvest.latency = latency
        self._harvest.limits = limits
        self._cpu = time.process_time()
        return {}

    def tally(self) -> dict[str, Any]:
        """What came since `begin`: requests, those refused, those that asked for something again; CPU seconds spent."""
        arrived = list(self._harvest.requests)
        answered = [(request.path, *sorted(request.query.items())) for request in arrived if request.status == 200]
        return {
            "requests": len(arrived),
            "refused": sum(request.status == 429 for request in arrived),
            "again": len(answered) - len(set(answered)),
            "cpu": time.process_time() - self._cpu,
        }

    def pass_day(self) -> dict[str, Any]:
        """Let a day pass in which nobody works."""
        self._harvest.clock.advance(days=1)
        return {}

    def change(self) -> dict[str, Any]:
        """Update each hundredth row of every list, and pay one invoice in a hundred.

        Returns how many requests it takes to look below the changed parents.
        """
        now = stamp(self._harvest.clock.now())
        for name in LISTS:
            for row_id in _every(self._harvest, name, 100):
                self._harvest.update(name, row_id)
        invoices = self._rows("invoices")
        unpaid = [row_id for row_id, row in invoices.items() if row["state"] == "open"]
        for invoice_id in unpaid[: -(-len(invoices) // 100)]:
            self._harvest.add("invoice_payments", invoice_id=invoice_id, amount=1.0)
        return {"visits": self._visits(lambda _, row: bool(row["updated_at"] >= now))}

    def _rows(self, name: str) -> dict[int, Row]:
        return self._harvest.state.table(name).rows

    def _visits(self, is_due: Callable[[str, Row], bool]) -> int:
        return sum(
            len(kinds) * sum(is_due(name, row) for row in self._rows(name).values()) for name, kinds in CHILDREN.items()
        )

    def _is_alive(self, name: str, row: Row) -> bool:
        since = stamp(self._harvest.clock.now() - RECENTLY)
        return row["state"] in LIVING[name] or row["updated_at"] >= since


def _every(harvest: Harvest, table: str, step: int) -> list[int]:
    return list(harvest.state.table(table).rows)[::step]


def main() -> None:
    """Serve an account of the size in `sys.argv`, and do as told until standard input ends."""
    gc.disable()
    harvest = Harvest(sys.argv[1])
    host = Host(harvest)
    gc.freeze()  # as the emulator's own command line does
    gc.enable()
    with Server(harvest) as server:
        urls = {"api_url": server.api_url, "identity_url": server.identity_url}
        account = {"account_id": str(harvest.account_id)}
        credentials = {"credentials": {"auth_type": "Token", "api_token": harvest.token}}
        print(json.dumps(urls | account | credentials), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            print(json.dumps(host.commands[order.pop("do")](**order)), flush=True)


if __name__ == "__main__":
    main()
