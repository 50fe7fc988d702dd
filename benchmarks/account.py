"""An emulated account in a process of its own, from the side of the benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from benchmarks.lists import CHILDREN, EXPENSE_REPORTS, TIME_REPORTS, pages

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Tally:
    """What Harvest saw of one program."""

    requests: int
    refused: int
    """Of them, those that got a 429."""
    again: int
    """Of the others, those for something that had been answered before."""
    cpu: float
    """Seconds that the emulator worked."""


class Account:
    """An account; every method tells its process what to do, and waits until it is done."""

    def __init__(self, process: subprocess.Popen[str], size: str) -> None:
        self._process = process
        self.size = size
        self.config: dict[str, Any] = self._answer()
        """The connector's config for it."""
        self.rows: dict[str, int] = self._do("content")["rows"]
        """List -> how many rows it has."""

    @property
    def fewest(self) -> int:
        """The fewest requests that read all of it: each list's pages, and each parent once for each kind of child."""
        lists = sum(pages(rows) for rows in self.rows.values())
        return lists + sum(self.rows[parent] * len(kinds) for parent, kinds in CHILDREN.items())

    def report_months(self, last_days: int | None = None) -> int:
        """The months of all nine reports: from where each begins, or only those that the last days are in."""
        begins = {name: date.fromisoformat(day) for name, day in self._do("content")["begins"].items()}
        counts = [(begins["time_entries"], len(TIME_REPORTS)), (begins["expenses"], len(EXPENSE_REPORTS))]
        today = datetime.now(timezone.utc).date()
        since = today - timedelta(days=last_days) if last_days else date.min
        return sum(
            reports * (_months(today) - _months(max(first, since)) + 1)
            for first, reports in [*counts, (min(begins.values()), 1)]
        )

    def below_users(self) -> int:
        """The requests for both rates of each user, and for the teammates of each manager."""
        return 2 * self.rows["users"] + int(self._do("content")["managers"])

    def visits(self) -> int:
        """The requests for the children of all parents that are alive, or were touched in the last 30 days."""
        return int(self._do("content")["visits"])

    def begin(self, *, latency: float = 0.0, limits: bool = False) -> None:
        """Count from zero, and answer after so many seconds, by Harvest's limits or without."""
        self._do("begin", latency=latency, limits=limits)

    def tally(self) -> Tally:
        """What was counted since."""
        return Tally(**self._do("tally"))

    def pass_day(self) -> None:
        """Let a day pass in which nothing happens."""
        self._do("pass_day")

    def change(self) -> int:
        """Change 1 % of all rows; returns the requests for the children of all parents that changed."""
        return int(self._do("change")["visits"])

    def _do(self, command: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the emulator has ended; what it said last is above")
        return dict(json.loads(line))


def _months(day: date) -> int:
    return 12 * day.year + day.month


@contextmanager
def account_of(size: str) -> Iterator[Account]:
    """An account of the size s, m or l, for as long as the block lasts."""
    with subprocess.Popen(  # noqa: S603 - a program of ours
        [sys.executable, "-m", "benchmarks.host", size], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Account(process, size)
        finally:
            process.communicate()  # closes its standard input, at which it ends
