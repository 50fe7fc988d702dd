"""The runs, in groups: each yields a table, and what it says of the targets."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks import programs
from benchmarks.lists import LISTS, OTHERS, PER_PAGE, REPORTS, TABLES, pages
from benchmarks.programs import CONNECTOR, UNLIMITED, Messages
from benchmarks.results import Check, Result, plain_table, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

    from benchmarks.account import Account
    from benchmarks.programs import Cost

    Shown = Iterator[Table | Check]

REQUESTS_ALLOWED_IDLE = 20
# The request for running timers; it is not made where the list of time entries is read whole.
RUNNING = 1
# The default of the setting report_lookback_days.
LOOKBACK_DAYS = 90
# With less to do, what is measured is how long a program takes to start.
ENOUGH_REQUESTS = 1_000
ENOUGH_ROWS = 10_000


def emulator(account: Account) -> Shown:
    """How fast the emulator is when somebody only takes its answers and throws them away, over one connection."""
    config = account.config
    connection = HTTPConnection(urlsplit(config["api_url"]).netloc)
    headers = {
        "Authorization": f"Bearer {config['credentials']['api_token']}",
        "Harvest-Account-Id": config["account_id"],
        "User-Agent": "benchmark",
    }
    lines = []
    for name, times in (("time_entries", 5), ("roles", 300)):
        account.begin()
        began = time.monotonic()
        for page in list(range(1, pages(account.rows[name]) + 1)) * times:
            connection.request("GET", f"/v2/{name}?per_page={PER_PAGE}&page={page}", headers=headers)
            connection.getresponse().read()
        wall, seen, rows = time.monotonic() - began, account.tally(), account.rows[name] * times
        speed = (seen.requests / wall, rows / wall, seen.cpu * 1e6 / seen.requests, seen.cpu * 1e6 / rows)
        lines.append((name, *(f"{number:,.1f}" for number in speed)))
    connection.close()
    columns = ("pages of", "pages/s", "rows/s", "emulator's CPU µs/page", "CPU µs/row")
    yield plain_table(f"The emulator alone, size {account.size}", columns, lines)


class Connector:
    """The connector on an account, from one sync to the next."""

    def __init__(self, account: Account, command: Sequence[str], *streams: str) -> None:
        self._account = account
        self._command = command
        self._catalog = programs.catalog(*streams)
        self._states: dict[str, dict[str, Any]] = {}
        self.largest_state = 0
        self.sizes: dict[str, int] = {}
        """Bytes of the last state of each stream."""

    def sync(self) -> Cost:
        """A sync from the states on that the last one left."""
        messages = Messages()
        states = {"state": list(self._states.values())} if self._states else {}
        cost = programs.read(self._command, messages, config=self._account.config, catalog=self._catalog, **states)
        self._states |= messages.states
        self.sizes |= messages.sizes
        self.largest_state = max(self.largest_state, messages.largest_state)
        return cost


class Loop:
    """The plain loop on an account, over all of it or some lists."""

    def __init__(self, account: Account, *names: str) -> None:
        self._account = account
        self._names = names

    def sync(self) -> Cost:
        """All there is, as it remembers nothing."""
        return programs.loop(self._account.config, *self._names)


def counted(account: Account, scenario: str, fewest: int, program: Connector | Loop, **harvest: Any) -> Result:
    """One sync, on an account that counts its requests; `harvest` is how that answers."""
    account.begin(**harvest)
    cost = program.sync()
    latency = harvest.get("latency") if harvest.get("limits") else None
    return Result(scenario, type(program).__name__.lower(), fewest, account.tally(), cost, latency)


def syncs(account: Account) -> Shown:
    """A first sync, one without changes on the next day and another one, and one after 1 % changed."""
    connector, size = Connector(account, UNLIMITED, *TABLES), f"size {account.size}"
    first = counted(account, "first sync", account.fewest, connector)
    loop = counted(account, "", account.fewest, Loop(account))
    account.pass_day()
    next_day = counted(account, "no change, next day", len(LISTS) + RUNNING + account.visits(), connector)
    idle = counted(account, "no change, same day", len(LISTS) + RUNNING, connector)
    changed = counted(account, "1 % changed", len(LISTS) + RUNNING + account.change(), connector)
    yield table(f"The 24 tables, {size}, no limits, no latency", [first, loop, next_day, idle, changed])
    yield Check(f"requests over the fewest, first sync, {size}", 1.02, first.ratio)
    allowed = next_day.fewest - len(LISTS) + REQUESTS_ALLOWED_IDLE
    yield Check(f"requests, first idle sync of a day, {size}", allowed, next_day.seen.requests)
    yield Check(f"requests, idle sync on the same day, {size}", REQUESTS_ALLOWED_IDLE, idle.seen.requests)
    yield Check(f"requests over the fewest, 1 % changed, {size}", 1.5, changed.ratio)
    yield Check(f"states of the 24 tables at their largest, {size}", 5, connector.largest_state / 1000, " KB")


def limits(account: Account) -> Shown:
    """A first sync under Harvest's limits, where it answers after 100 and after 300 ms."""
    results = []
    for latency in (0.1, 0.3):
        harvest = {"latency": latency, "limits": True}
        title, connector = f"first sync, {latency * 1000:.0f} ms", Connector(account, CONNECTOR, *TABLES)
        results += [
            counted(account, title, account.fewest, connector, **harvest),
            counted(account, "", account.fewest, Loop(account), **harvest),
        ]
    yield table(f"The 24 tables, size {account.size}, limits on", results)
    for result in results[::2]:
        yield Check(f"429s, {result.scenario}, size {account.size}", 0, result.seen.refused)
    last = results[-2]
    if account.fewest < ENOUGH_REQUESTS:
        return
    yield Check(f"wall over the bound, {last.scenario}, size {account.size}", 1.1, last.cost.wall / (last.bound or 1))


def beyond(account: Account) -> Shown:
    """What is beyond the 24 tables: a first sync, and another one on the same day. Counts only, and no targets.

    Reports come by month, of which Harvest allows 100 in 15 minutes: that limit too is lifted here.
    """
    results, sizes = [], []
    user = 1  # the signed-in one, whose day it is; what it takes to find where reports begin is over the fewest
    reports = Connector(account, UNLIMITED, *REPORTS)
    results.append(counted(account, "nine reports", account.report_months() + user, reports))
    sizes.append(dict(reports.sizes))
    again = account.report_months(last_days=LOOKBACK_DAYS) + user
    results.append(counted(account, "nine reports, same day", again, reports))
    sizes.append(dict(reports.sizes))
    others, lists = Connector(account, UNLIMITED, *OTHERS), len(("company", "users", "project_budget", "users/me"))
    for title in ("the others", "the others, same day"):
        results.append(counted(account, title, lists + account.below_users(), others))
        sizes.append(dict(others.sizes))
    yield table(f"Beyond the 24 tables, size {account.size}, no limits, no latency", results)
    lines = [(name, str(first[name]), str(second[name])) for first, second in (sizes[:2], sizes[2:]) for name in first]
    yield plain_table(f"Bytes of state, size {account.size}", ("stream", "first sync", "same day"), lines)


def throughput(account: Account, times: int) -> Shown:
    """Time entries alone, so many times; the run that took the least CPU counts."""

    def least(name: str, program: Callable[[], Connector | Loop]) -> Result:
        runs = [counted(account, name, pages(account.rows[name]), program()) for _ in range(times)]
        return min(runs, key=lambda run: run.cost.cpu)

    start = least("roles", lambda: Connector(account, UNLIMITED, "roles"))
    whole = least("time_entries", lambda: Connector(account, UNLIMITED, "time_entries"))
    loop = least("time_entries", lambda: Loop(account, "time_entries"))
    yield table(f"One list, size {account.size}, no limits, no latency, best of {times}", [start, whole, loop])
    if whole.cost.rows < ENOUGH_ROWS:
        return
    speed = (whole.cost.rows - start.cost.rows) / (whole.cost.cpu - start.cost.cpu)
    title = f"time entries per second of CPU, start-up apart, size {account.size}"
    yield Check(title, 30_000, speed, at_least=True)
    yield Check(f"peak memory, {whole.cost.rows:,} time entries", 250, whole.cost.memory, " MB")
