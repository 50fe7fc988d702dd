"""`python -m benchmarks.memory`: peak memory over a million time entries, in the worst of many runs.

The entries are made beforehand and served as fast as a socket takes them, so that all workers have pages at once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks import programs
from benchmarks.programs import UNLIMITED, Messages
from benchmarks.results import Check, plain_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.programs import Cost

MOST = 250
"""MB, in each run."""

SITUATIONS = ((0, False), (3, False), (300, False), (0, True))
"""Milliseconds until Harvest answers, and whether other programs want each core as well."""


class Served:
    """Entries in a process of their own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.api_url = self._answer()

    def answer_after(self, milliseconds: float) -> None:
        """From now on."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(f"{milliseconds / 1000}\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server of the entries has ended; what it said last is above")
        return line.strip()


def main() -> None:
    """Run each situation as often as is asked for, and show the least and the most."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="of each situation")
    parser.add_argument("--entries", type=int, default=1_000_000)
    options = parser.parse_args()
    console, lines, worst = Console(width=124, highlight=False), [], 0.0
    with served(options.entries) as entries:
        for latency, is_busy in SITUATIONS:
            entries.answer_after(latency)
            with ExitStack() as others:
                if is_busy:
                    others.enter_context(busy())
                runs = [read(entries.api_url, options.entries) for _ in range(options.runs)]
            peaks, walls = sorted(run.memory for run in runs), sorted(run.wall for run in runs)
            worst = max(worst, peaks[-1])
            numbers = (peaks[0], peaks[-1], walls[0], walls[-1], min(run.cpu for run in runs))
            lines.append((f"{latency} ms{', busy machine' if is_busy else ''}", *(f"{n:.0f}" for n in numbers)))
    columns = ("latency", "MB, least", "MB, most", "wall s, least", "wall s, most", "CPU s, least")
    console.print(plain_table(f"{options.entries:,} time entries, {options.runs} runs each", columns, lines))
    console.print(str(Check(f"peak memory of the worst run, {options.entries:,} time entries", MOST, worst, " MB")))


def read(api_url: str, entries: int) -> Cost:
    """One first sync of all of them."""
    credentials = {"auth_type": "Token", "api_token": "any"}
    config: dict[str, Any] = {"api_url": api_url, "account_id": "1", "credentials": credentials}
    cost = programs.read(UNLIMITED, Messages(), config=config, catalog=programs.catalog("time_entries"))
    if cost.rows != entries:
        raise RuntimeError(f"{cost.rows} rows came")
    return cost


@contextmanager
def served(entries: int) -> Iterator[Served]:
    """So many time entries, for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.canned", str(entries)]
    with subprocess.Popen(  # noqa: S603 - a program of ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Served(process)
        finally:
            process.communicate()  # closes its standard input, at which it ends


@contextmanager
def busy() -> Iterator[None]:
    """Each core has something else to do, for as long as the block lasts."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]  # noqa: S603 - programs of ours
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    main()
