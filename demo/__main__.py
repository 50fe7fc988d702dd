"""`python -m demo`: sync a Harvest account to a DuckDB file, say what changed, and ask it four questions."""

from __future__ import annotations

import shlex
import signal
import sys
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, cast

import duckdb
from rich.console import Console

from demo.account import EmulatorError, account
from demo.chart import utilisation_chart
from demo.columns import MisfitError
from demo.connector import Connector, ConnectorError, configured, without_unreadable_time_off
from demo.loader import Warehouse
from demo.progress import ReadProgress
from demo.show import WithoutTrailingBlanks, ask, show_changes, show_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.account import EmulatedAccount, RealAccount
    from demo.loader import Summary

_OUTPUT = Path(__file__).parent / "output"

_WAITS = (
    "The connector sends at most 100 requests in 15 seconds, which is Harvest's limit, so it waits now and then. "
    "Reports are read by year here: by month, they would take half an hour, as Harvest allows 100 in 15 minutes. "
    "A table without requests is made from the list of another table."
)
_WAITS_AGAIN = (
    "This run reads what changed. Once a day, it also reads each list whole, to find what was deleted, and asks for "
    "the messages and payments of open and recent invoices and estimates. These are most of the requests, and they "
    "wait for Harvest's limit of 100 in 15 seconds. Reports are read by year."
)


def main() -> int:
    """Run the demo; the exit code is 0 when every stream was read to its end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(
        highlight=False, file=None if sys.stdout.isatty() else cast("IO[str]", WithoutTrailingBlanks(sys.stdout))
    )
    chosen = account()
    _OUTPUT.mkdir(exist_ok=True)
    path = _OUTPUT / f"harvest-{chosen.name}.duckdb"
    try:
        with Warehouse(path) as warehouse:
            summary = _sync(console, chosen, warehouse)
            _look(console, warehouse, has_time_off="pto_balances" in summary.streams)
    except (ConnectorError, EmulatorError, MisfitError, duckdb.IOException) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped. What is in the file stays; the next run goes on from there.")
        return 130
    _explain(console, path)
    return 1 if summary.errors else 0


def _sync(console: Console, chosen: RealAccount | EmulatedAccount, warehouse: Warehouse) -> Summary:
    """One sync, from `check` to the tables, and one more run on the file's record."""
    warehouse.query("CREATE TABLE IF NOT EXISTS _demo_runs (ended_at TIMESTAMPTZ DEFAULT now())")
    runs = len(warehouse.query("FROM _demo_runs"))
    console.print(chosen.title, markup=False)
    with chosen.open(runs) as config:
        connector = Connector(config)
        warnings = connector.check()
        for warning in warnings:
            console.print(warning, style="yellow", markup=False)
        console.print("[green]✓[/] check: the account can be read")
        catalog = configured(without_unreadable_time_off(connector.discover(), warnings))
        console.print(f"[green]✓[/] discover: {len(catalog['streams'])} streams")
        console.print(_WAITS_AGAIN if runs else _WAITS, style="dim")
        summary = _read(console, connector, catalog, warehouse)
    warehouse.query("INSERT INTO _demo_runs DEFAULT VALUES")
    if runs:
        show_changes(console, summary)
    else:
        show_tables(console, summary)
    return summary


def _read(console: Console, connector: Connector, catalog: Mapping[str, Any], warehouse: Warehouse) -> Summary:
    began = monotonic()
    with (
        ReadProgress(console, len(catalog["streams"])) as progress,
        closing(connector.read(catalog, warehouse.state())) as messages,
    ):
        summary = warehouse.load(messages, catalog, on_message=progress.show)
    rows = sum(stream.read for stream in summary.streams.values())
    seconds = monotonic() - began
    console.print(f"[green]✓[/] read: {rows:,} rows with {progress.requests:,} requests in {seconds:.1f} s")
    for error in summary.errors:
        console.print(error["message"], style="red", markup=False)
    return summary


def _look(console: Console, warehouse: Warehouse, *, has_time_off: bool) -> None:
    """Four questions in SQL, and a chart."""
    ask(console, warehouse, "hours_and_amount")
    ask(console, warehouse, "margin")
    if has_time_off:
        ask(console, warehouse, "time_off")
    if people := ask(console, warehouse, "utilisation"):
        console.print(utilisation_chart(people))


def _explain(console: Console, path: Path) -> None:
    file = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    query = f"import duckdb; duckdb.connect('{file}').sql('FROM clients').show()"
    console.print("\nRun the demo again: it asks Harvest only for what changed since.")
    console.print(f"Everything is in {file}. Ask it yourself:", markup=False, soft_wrap=True)
    console.print(f'{shlex.quote(sys.executable)} -c "{query}"', markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
