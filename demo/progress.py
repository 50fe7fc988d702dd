"""A read as one watches it: a bar per running stream on a terminal, a line per stream in a log."""

from __future__ import annotations

import re
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


# The line of the log with which the connector ends a stream.
_ENDED = re.compile(r"(\w+): rows: \d+, requests: (\d+), ")
# The line that comes every 30 seconds from a stream with a request for each invoice or estimate.
_VISITED = re.compile(r"(\w+): (\d+) of (\d+) parents visited, ")


class ReadProgress:
    """Shows the messages of one read; give `show` each of them."""

    def __init__(self, console: Console, streams: int) -> None:
        """Nothing appears before the block begins."""
        self._console = console
        self._rows: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._statuses: dict[str, str] = {}
        self._visiting: set[str] = set()
        self._tasks: dict[str, TaskID] = {}
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<32}"),
            BarColumn(12),
            TextColumn("{task.fields[done]}"),
        )
        self._bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._all = self._bars.add_task("all streams", total=streams, done="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @property
    def requests(self) -> int:
        """Requests of the streams that have ended."""
        return self._requests.total()

    def show(self, message: Mapping[str, Any]) -> None:
        """Move the bars by what the message says."""
        if message["type"] == "RECORD":
            self._count(message["record"]["stream"])
        elif message["type"] == "TRACE":
            self._trace(message["trace"])
        elif warning := warning_of(message):
            self._console.print(f"[yellow]{escape(warning)}[/]")
        elif message["type"] == "LOG":
            self._log(message["log"]["message"])

    def _log(self, line: str) -> None:
        if ended := _ENDED.match(line):
            self._requests[ended[1]] += int(ended[2])
            self._tell(ended[1])
        elif visited := _VISITED.match(line):
            stream, done, total = visited[1], int(visited[2]), int(visited[3])
            self._visiting.add(stream)
            self._bars.update(self._task(stream), completed=done, total=total, done=f"{done:,} of {total:,} requests")

    def _count(self, stream: str) -> None:
        self._rows[stream] += 1
        task = self._task(stream)
        if stream not in self._visiting:
            self._bars.update(task, completed=self._rows[stream], done=_counted(self._rows[stream], "row"))
        self._count_all()

    def _count_all(self) -> None:
        done = f"{_counted(self._rows.total(), 'row')}, {_counted(self.requests, 'request')}"
        self._bars.update(self._all, done=done)

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
        self._statuses[stream] = status
        self._tell(stream)

    def _tell(self, stream: str) -> None:
        """Print a stream's line in a log, once its status and its requests are known, which come in either order.

        A list that several tables are made of counts for one of them.
        """
        self._count_all()
        if self._console.is_terminal or stream not in self._requests or stream not in self._statuses:
            return
        ending = "" if self._statuses[stream] == "COMPLETE" else "  incomplete"
        requests = _counted(self._requests[stream], "request") if self._requests[stream] else ""
        self._console.print(f"  {stream:<32}{_counted(self._rows[stream], 'row'):>12}{requests:>16}{ending}")

    def _task(self, stream: str) -> TaskID:
        if stream not in self._tasks:
            self._tasks[stream] = self._bars.add_task(stream, total=None, done="")
        return self._tasks[stream]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
