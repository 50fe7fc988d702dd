"""A small Airbyte destination: the messages of a `read`, loaded into a DuckDB file.

Each stream becomes a table of the stream's name, its columns typed by the stream's JSON schema
(`demo.columns`). A STATE message is committed in one transaction with all records of its stream that came
before it, so that a load which dies at any moment leaves no state ahead of its rows.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from demo.table import Changes, StreamTable, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Self

    Message = Mapping[str, Any]
    OnMessage = Callable[[Message], None]


@dataclass(frozen=True)
class StreamSummary:
    """What one load did to one table: records read, the rows they made, and how the stream ended."""

    read: int
    changes: Changes
    status: str | None
    """The last STREAM_STATUS: `COMPLETE`, `INCOMPLETE`, or null where the source died before it said so."""


@dataclass(frozen=True)
class Summary:
    """What one load did, by stream, and the errors that the source reported (TRACE ERROR), in order."""

    streams: dict[str, StreamSummary]
    errors: list[dict[str, Any]]


class Warehouse:
    """A DuckDB file that holds the streams' tables and, beside them, the state of the last sync."""

    def __init__(self, path: Path | str) -> None:
        """Open the file, made if missing. Only one process at a time can have it open."""
        self._connection = duckdb.connect(str(path))
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS _airbyte_state (stream VARCHAR PRIMARY KEY, state JSON NOT NULL)"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def state(self) -> list[dict[str, Any]]:
        """The committed states as the list that `read --state` takes; empty before the first sync."""
        return [row["state"] for row in self.query("SELECT state FROM _airbyte_state ORDER BY stream")]

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """All rows of a stream's table as plain Python, ordered by their columns from left to right."""
        return self.query(f"FROM {quoted(stream)} ORDER BY ALL")

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows that a statement returns: objects and arrays parsed, timestamps in UTC."""
        result = self._connection.execute(sql)
        description = result.description or []
        names = [name for name, *_ in description]
        is_json = [str(kind) == "JSON" for _, kind, *_ in description]
        return [
            {
                name: json.loads(value) if parse and value is not None else value
                for name, value, parse in zip(names, row, is_json, strict=True)
            }
            for row in result.fetchall()
        ]

    def load(
        self,
        messages: Iterable[Message | str],
        catalog: Mapping[str, Any],
        on_message: OnMessage | None = None,
    ) -> Summary:
        """Load the messages of a `read` of this configured catalog; lines of JSON serve as well.

        How rows enter a table is the stream's `destination_sync_mode`:
        - `append_dedup`: a row replaces the one with its primary key; without a key, as `append`.
        - `append`: every row is added.
        - `overwrite`: the rows take the place of the table when the stream ends COMPLETE, else none enters.

        Each STATE of an incremental stream is committed with the stream's records before it; records after
        the last STATE when the messages end. A full refresh keeps no state: the next one starts afresh.
        Where `messages` raises, what was committed stays, and the rest is gone.
        `on_message` is called with each message once it has been dealt with.
        """
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            load = _Load(self._connection, errors=[])
            for index, configured in enumerate(catalog["streams"]):
                table = StreamTable(self._connection, configured, Path(folder) / f"{index}.jsonl")
                load.tables[table.name] = stack.enter_context(closing(table))
            for message in messages:
                parsed = json.loads(message) if isinstance(message, str) else message
                load.take(parsed)
                if on_message is not None:
                    on_message(parsed)
            return load.finish()


@dataclass
class _Load:
    """One run of `Warehouse.load`."""

    connection: duckdb.DuckDBPyConnection
    errors: list[dict[str, Any]]
    tables: dict[str, StreamTable] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        """Deal with one message; those which carry neither data nor news pass by."""
        kind = message["type"]
        if kind == "RECORD":
            self.tables[message["record"]["stream"]].add(message["record"]["data"])
        elif kind == "STATE":
            self._commit(message["state"])
        elif kind == "TRACE" and message["trace"]["type"] == "ERROR":
            self.errors.append(message["trace"]["error"])
        elif kind == "TRACE" and message["trace"]["type"] == "STREAM_STATUS":
            self._note(message["trace"]["stream_status"])

    def finish(self) -> Summary:
        """Write what came after the last states, and say what the load changed."""
        with _transaction(self.connection):
            for table in self.tables.values():
                if not table.replaces:
                    table.write()
        streams = {
            name: StreamSummary(table.read, table.changes(), self.statuses.get(name))
            for name, table in self.tables.items()
        }
        return Summary(streams, self.errors)

    def _commit(self, state: Mapping[str, Any]) -> None:
        name = state["stream"]["stream_descriptor"]["name"]
        table = self.tables[name]
        if not table.incremental:
            return
        kept = json.dumps({"type": "STREAM", "stream": state["stream"]})
        with _transaction(self.connection):
            table.write()
            self.connection.execute("INSERT OR REPLACE INTO _airbyte_state VALUES (?, ?)", [name, kept])

    def _note(self, status: Mapping[str, Any]) -> None:
        name = status["stream_descriptor"]["name"]
        self.statuses[name] = status["status"]
        if status["status"] == "COMPLETE" and self.tables[name].replaces:
            with _transaction(self.connection):
                self.tables[name].write()


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that the block writes, or nothing of it."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
