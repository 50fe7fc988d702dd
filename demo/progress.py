"""A read as one watches it: a bar per running stream on a terminal, a line per stream in a log."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from demo.connector import warning_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.progress import TaskID
    from typing_extensions import Self


class ReadProgress:
    """Shows the messages of one read; give `show` each of them."""

    def __init__(self, console: Console, streams: int) -> None:
        """Nothing appears before the block begins."""
        self._console = console
        self._rows: Counter[str] = Counter()
        self._tasks: dict[str, TaskID] = {}
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<32}"),
            BarColumn(24),
            TextColumn("{task.fields[done]}"),
        )
        self._bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._all = self._bars.add_task("all streams", total=streams, done="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, message: Mapping[str, Any]) -> None:
        """Move the bars by what the message says."""
        if message["type"] == "RECORD":
            self._count(message["record"]["stream"])
        elif message["type"] == "TRACE":
            self._trace(message["trace"])
        elif warning := warning_of(message):
            self._console.print(f"[yellow]{escape(warning)}[/]")

    def _count(self, stream: str) -> None:
        self._rows[stream] += 1
        rows = self._rows[stream]
        self._bars.update(self._task(stream), completed=rows, done=f"{rows:,} rows")
        self._bars.update(self._all, done=f"{self._rows.total():,} rows")

    def _trace(self, trace: Mapping[str, Any]) -> None:
        if trace["type"] == "ESTIMATE":
            self._bars.update(self._task(trace["estimate"]["name"]), total=trace["estimate"]["row_estimate"])
        elif trace["type"] == "STREAM_STATUS":
            status = trace["stream_status"]
            if status["status"] in {"COMPLETE", "INCOMPLETE"}:
                self._end(status["stream_descriptor"]["name"], status["status"])

    def _end(self, stream: str, status: str) -> None:
        self._bars.remove_task(self._task(stream))
        del self._tasks[stream]
        self._bars.advance(self._all)
        if not self._console.is_terminal and (self._rows[stream] or status == "INCOMPLETE"):
            ending = "" if status == "COMPLETE" else "  incomplete"
            self._console.print(f"  {stream:<32}{self._rows[stream]:>9,}{ending}")

    def _task(self, stream: str) -> TaskID:
        if stream not in self._tasks:
            self._tasks[stream] = self._bars.add_task(stream, total=None, done="")
        return self._tasks[stream]
