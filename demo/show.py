"""What a sync did and what the questions answered, as tables for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, JustifyMethod

    from demo.loader import Summary, Warehouse

    Row = Mapping[str, Any]

_SQL = Path(__file__).parent / "sql"


def show_tables(console: Console, summary: Summary) -> None:
    """All tables with their number of rows, in two columns."""
    sizes = [{"table": name, "rows": stream.changes.total} for name, stream in summary.streams.items()]
    half = (len(sizes) + 1) // 2
    side_by_side = Table.grid(padding=(0, 4))
    side_by_side.add_row(_table(sizes[:half]), _table(sizes[half:]))
    console.print(side_by_side)


def show_changes(console: Console, summary: Summary) -> None:
    """The tables that the sync altered, and how; the others are only counted."""
    rows = []
    for name, stream in summary.streams.items():
        counts = {
            "new": stream.changes.new,
            "changed": stream.changes.changed,
            "removed": stream.changes.removed,
        }
        if any(counts.values()):
            rows.append({"table": name} | counts | {"rows now": stream.changes.total})
    if rows:
        console.print(_table(rows))
    console.print(f"{len(summary.streams) - len(rows)} tables are as they were.", highlight=False)


def ask(console: Console, warehouse: Warehouse, question: str) -> list[dict[str, Any]]:
    """Print the question of `sql/<question>.sql` with its answer, and return the answer's rows."""
    sql = (_SQL / f"{question}.sql").read_text(encoding="utf-8")
    rows = warehouse.query(sql)
    console.print(f"\n[bold]{sql.splitlines()[0].removeprefix('-- ')}[/]  [dim]demo/sql/{question}.sql[/]")
    console.print(_table(rows) if rows else "There is nothing to answer it from.")
    return rows


def _table(rows: Sequence[Row]) -> Table:
    """The rows under the names of their columns; numbers to the right, a line where a month ends."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, value in rows[0].items():
        justify: JustifyMethod = "left" if isinstance(value, str) else "right"
        table.add_column(name.replace("_", " ").removesuffix(" percent"), justify=justify)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        last_of_month = following is not None and row.get("month") != following.get("month")
        table.add_row(*(_cell(name, value) for name, value in row.items()), end_section=last_of_month)
    return table


def _cell(name: str, value: Any) -> Text:
    if name.endswith("_percent"):
        return Text(f"{value:.0f} %")
    if isinstance(value, float):
        return Text(f"{value:,.2f}" if "amount" in name else f"{value:,.1f}")
    return Text(f"{value:,}" if value else "-") if isinstance(value, int) else Text(str(value))
