"""What a sync did and what the questions answered, as tables for the terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text
from typing_extensions import override

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
    """Print the question of `sql/<question>.sql` with its period, its notes and its answer; return the answer's rows.

    The query says in each row which days it is about: from `first_day` to `last_day`.
    """
    sql = (_SQL / f"{question}.sql").read_text(encoding="utf-8")
    rows = warehouse.query(sql)
    days = {(row.pop("first_day"), row.pop("last_day")) for row in rows}
    period = [f"{first:%d %b %Y} to {last:%d %b %Y}." for first, last in days]
    title, *notes = (line.removeprefix("--").strip() for line in sql.splitlines() if line.startswith("--"))
    console.print(f"\n[bold]{title}[/]")
    console.print(" ".join([*period, *filter(None, notes), f"(demo/sql/{question}.sql)"]), style="dim", markup=False)
    console.print(_table(rows) if rows else "There is nothing to answer it from.")
    return rows


def _table(rows: Sequence[Row]) -> Table:
    """The rows under the names of their columns; numbers to the right, a line where a month ends.

    Where it is too wide for the console, text is cut off, and no number.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, value in rows[0].items():
        is_text = isinstance(value, str)
        justify: JustifyMethod = "left" if is_text else "right"
        table.add_column(Text(_heading(name), overflow="ellipsis", no_wrap=True), justify=justify, no_wrap=not is_text)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        last_of_month = following is not None and row.get("month") != following.get("month")
        table.add_row(*(_cell(name, value) for name, value in row.items()), end_section=last_of_month)
    return table


def _heading(name: str) -> str:
    heading = name.replace("_percent", " %").replace("_", " ")
    return heading if heading == "amount" else heading.removesuffix(" amount")


def _cell(name: str, value: Any) -> Text:
    if name.endswith("_percent"):
        return Text(f"{value:.0f} %")
    if isinstance(value, float):
        return Text(f"{value:,.0f}" if "amount" in name else f"{value:,.1f}")
    if isinstance(value, int):
        return Text(f"{value:,}" if value else "-")
    return Text(str(value), overflow="ellipsis", no_wrap=True)


class WithoutTrailingBlanks(io.TextIOBase):
    """A text file whose lines end at their last character, as tables fill theirs with blanks."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file
        self._begun = ""

    @override
    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        self._file.writelines(f"{line.rstrip()}\n" for line in lines)
        return len(text)

    @override
    def flush(self) -> None:
        self._file.flush()

    @property
    @override
    def encoding(self) -> str:  # type: ignore[override]
        return self._file.encoding

    @override
    def close(self) -> None:
        if not self.closed:
            self._file.write(self._begun.rstrip())
            super().close()
