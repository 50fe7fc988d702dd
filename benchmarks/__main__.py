"""`python -m benchmarks`: the tables, and the targets that are met or missed. Its exit code says nothing of numbers."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.account import account_of
from benchmarks.groups import beyond, emulator, limits, syncs, throughput
from benchmarks.results import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.account import Account
    from benchmarks.groups import Shown

EXPLAINED = """
The emulated Harvest, and each program, is a process of its own. One sync runs at a time.
fewest   the pages of all lists, 2,000 rows each, and one request for each parent and kind of child; where something is
         known from the last sync, one request for each list and one for each kind of child of each parent that
         changed, or on a new day is alive or was touched in the last 30 days
again    answers that had been given before
CPU s    of the program, with its start and end; emul.: of the emulator, meanwhile
µs/row   the program's CPU. The connector's rows are those of 24 tables, some made of others; the loop's as they come
beyond   what else the connector reads: of reports each month once, and again where it ended in the last 90 days
MB       the program's memory at its peak
bound    what Harvest's limit of 100 requests in 15 s allows at best: the first 100 of the fewest requests go at once,
         each further 100 take 15 s, and the last one has to be answered
With no limits, the connector runs as benchmarks/unlimited.py, which lifts its budget of requests.
On a machine with other work, trust counts, CPU and ratios; wall time and rows/s say little.
"""


def main() -> None:
    """Run the groups that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="size s and no limits: in less than a minute")
    parser.add_argument("--full", action="store_true", help="also a million time entries, and size m with limits")
    parser.add_argument(
        "--only", choices=("emulator", "syncs", "limits", "throughput", "beyond"), help="a single group"
    )
    parser.add_argument("--size", choices=("s", "m", "l"), help="a single size")
    options = parser.parse_args()
    console = Console(width=124, highlight=False)
    console.print(EXPLAINED.strip())
    checks: list[Check] = []
    for size, groups in _plan(quick=options.quick, full=options.full).items():
        chosen = [group for name, group in groups if options.only in {None, name}]
        if chosen and options.size in {None, size}:
            console.print(f"\n[dim]An account of size {size} is being made …[/]")
            with account_of(size) as account:
                for group in chosen:
                    checks += _show(console, group(account))
    console.print("\n[bold]Targets[/]", *map(str, checks), sep="\n")


def _plan(*, quick: bool, full: bool) -> dict[str, list[tuple[str, Callable[[Account], Shown]]]]:
    """For each size, the groups to run."""
    if quick:
        single = ("throughput", partial(throughput, times=1))
        return {"s": [("emulator", emulator), ("syncs", syncs), single, ("beyond", beyond)]}
    large, limited = [("throughput", partial(throughput, times=1))], [("limits", limits)]
    return {
        "s": [("syncs", syncs), *limited, ("beyond", beyond)],
        "m": [
            ("emulator", emulator),
            ("syncs", syncs),
            ("throughput", partial(throughput, times=3)),
            *(limited if full else ()),
        ],
        "l": large if full else [],
    }


def _show(console: Console, shown: Shown) -> list[Check]:
    checks = []
    for item in shown:
        if isinstance(item, Check):
            checks.append(item)
        else:
            console.print("", item)
    return checks


if __name__ == "__main__":
    main()
