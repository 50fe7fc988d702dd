"""What a run showed, as a row of a table; and a target, as a line of the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.account import Tally
    from benchmarks.programs import Cost

REQUESTS_PER_WINDOW = 100
WINDOW_SECONDS = 15
# With fewer rows, a row's share is a share of the program's start.
FEW_ROWS = 1_000


@dataclass(frozen=True)
class Result:
    """One run of one program."""

    scenario: str
    program: str
    fewest: int
    """The fewest requests that would do."""
    seen: Tally
    cost: Cost
    latency: float | None = None
    """Seconds, where Harvest's limits were on."""

    @property
    def ratio(self) -> float:
        """How many requests there were for each that was needed."""
        return self.seen.requests / self.fewest

    @property
    def bound(self) -> float | None:
        """The fewest seconds that Harvest's limit allows for the fewest requests: the first 100 go at once."""
        if self.latency is None:
            return None
        return (self.fewest - 1) // REQUESTS_PER_WINDOW * WINDOW_SECONDS + self.latency

    def cells(self) -> list[str]:
        """As `COLUMNS` has it."""
        seen, cost = self.seen, self.cost
        cells = [
            self.scenario,
            self.program,
            f"{seen.requests:,}",
            f"{self.fewest:,}",
            f"{self.ratio:.2f}",
            f"{seen.again}",
            f"{seen.refused}",
            f"{cost.rows:,}",
            f"{cost.rows / cost.wall:,.0f}" if cost.rows >= FEW_ROWS else "",
            f"{cost.cpu:.1f}",
            f"{seen.cpu:.1f}",
            f"{cost.cpu / cost.rows * 1e6:,.0f}" if cost.rows >= FEW_ROWS else "",
            f"{cost.memory:.0f}",
            f"{cost.wall:.1f}",
        ]
        return cells + ([] if self.bound is None else [f"{self.bound:.1f}", f"{cost.wall / self.bound:.2f}"])


COLUMNS = (
    "",
    "program",
    "requests",
    "fewest",
    "ratio",
    "again",
    "429s",
    "rows",
    "rows/s",
    "CPU s",
    "emul.",
    "µs/row",
    "MB",
    "wall s",
    "bound",
    "ratio",
)


def table(title: str, results: Iterable[Result]) -> Table:
    """The results under a title."""
    lines = [result.cells() for result in results]
    return plain_table(title, COLUMNS[: max(map(len, lines))], lines)


def plain_table(title: str, columns: Iterable[str], lines: Iterable[Iterable[str]]) -> Table:
    """Any table of numbers, of which the first column is words."""
    made = Table(
        title=title, title_justify="left", title_style="bold", header_style="underline", box=None, padding=(0, 1, 0, 0)
    )
    for i, column in enumerate(columns):
        made.add_column(column, justify="right" if i and column != "program" else "left", no_wrap=True)
    for line in lines:
        made.add_row(*line)
    return made


@dataclass(frozen=True)
class Check:
    """A target and what was measured."""

    what: str
    target: float
    measured: float
    unit: str = ""
    at_least: bool = False

    def __str__(self) -> str:
        is_met = self.measured >= self.target if self.at_least else self.measured <= self.target
        difference = abs(self.measured - self.target)
        missed = f"{difference / self.target:.0%}" if self.target else f"{difference:g}"
        bound = "at least" if self.at_least else "at most"
        verdict = "met" if is_met else f"MISSED by {missed}"
        return f"{verdict:<14} {self.what}: {self.measured:,.5g}{self.unit}, {bound} {self.target:,.5g}{self.unit}"
