"""Where syncs are loaded: one destination in memory, one in DuckDB. Both take the lines of a `read`."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from demo.loader import Warehouse
from testing.command_line import Message, configured, run
from testing.expected_reports import Row
from testing.expected_tables import identity


class InMemoryDestination:
    """Rows by their primary key, and the states that a platform gives back.

    As a platform does:
    - A row replaces the one with its key; rows after the last state stay too.
    - The rows of a stream that is overwritten take the place of its table once the stream is complete, else none does.
    - The last state of each stream is given back, whatever its sync mode.
    """

    def __init__(self) -> None:
        self._rows: defaultdict[str, dict[tuple[Any, ...], Row]] = defaultdict(dict)
        self._states: dict[str, Message] = {}

    def state(self) -> list[Message]:
        """What `read --state` is given; empty before the first sync."""
        return [{"type": "STREAM", "stream": state} for state in self._states.values()]

    def held(self, name: str) -> list[Row]:
        """The rows of a table."""
        return list(self._rows[name].values())

    def load(self, messages: Iterable[str], catalog: Message) -> None:
        """All that came of a `read` of this configured catalog, or what had come when it was killed."""
        replaced = {s["stream"]["name"] for s in catalog["streams"] if s["destination_sync_mode"] == "overwrite"}
        waiting: defaultdict[str, list[Row]] = defaultdict(list)
        for message in map(json.loads, messages):
            if message["type"] == "RECORD":
                name, row = message["record"]["stream"], message["record"]["data"]
                if name in replaced:
                    waiting[name].append(row)
                else:  # at once: the messages may end with an error, and no state may be kept without its rows
                    self._write(name, [row])
            elif message["type"] == "STATE":
                state = message["state"]["stream"]
                self._states[state["stream_descriptor"]["name"]] = state
            elif status := message.get("trace", {}).get("stream_status"):
                name = status["stream_descriptor"]["name"]
                if status["status"] == "COMPLETE" and name in replaced:
                    self._rows[name] = {}
                    self._write(name, waiting.pop(name, []))

    def _write(self, name: str, rows: list[Row]) -> None:
        self._rows[name].update((identity(name, row), row) for row in rows)


class DuckDBDestination:
    """The demo's destination, whose rows are given back as the records had them."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.state = warehouse.state

    def held(self, name: str) -> list[Row]:
        """The rows of a table; every column of theirs is described, so that nothing is left over."""
        rows = [_as_sent(row) for row in self.warehouse.rows(name)]
        assert [row.pop("_extra") for row in rows] == [None] * len(rows)
        assert len({identity(name, row) for row in rows}) == len(rows)
        return rows

    def load(self, messages: Iterable[str | Message], catalog: Message) -> None:
        """All that came of a `read` of this configured catalog, or what had come when it was killed."""
        self.warehouse.load(messages, catalog)

    def sync(self, folder: Path, config: dict[str, Any], names: list[str] | None = None) -> None:
        """One sync of everything or of some streams by the command line, with the state of the one before."""
        catalog = configured(_discovered(), names)
        result = run(folder, "read", config=config, catalog=catalog, state=self.state())
        assert result.exit_code == 0
        self.load(result.messages, catalog)


@cache
def _discovered() -> list[dict[str, Any]]:
    """The streams, which are the same for every account."""
    config = {"credentials": {"auth_type": "Token", "api_token": "any"}}
    with TemporaryDirectory() as folder:
        [message] = run(Path(folder), "discover", config=config).of_type("CATALOG")
    found: list[dict[str, Any]] = message["catalog"]["streams"]
    return found


def _as_sent(row: Row) -> Row:
    """A row as its record had it: dates and times as text."""
    found = {}
    for column, value in row.items():
        if isinstance(value, datetime):
            found[column] = f"{value:%Y-%m-%dT%H:%M:%SZ}"
        else:
            found[column] = value.isoformat() if isinstance(value, date | time) else value
    return found
