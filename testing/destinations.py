"""Where syncs are loaded: one destination in memory, one in DuckDB."""

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
    """A destination with the rules of `demo.loader.Warehouse`, and fast enough for hundreds of stories."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, dict[tuple[Any, ...], Row]] = defaultdict(dict)
        self._states: dict[str, Message] = {}

    def state(self) -> list[Message]:
        return [{"type": "STREAM", "stream": state} for state in self._states.values()]

    def rows_in(self, name: str) -> list[Row]:
        return list(self._rows[name].values())

    def load(self, messages: Iterable[str], catalog: Message) -> None:
        replaced = {s["stream"]["name"] for s in catalog["streams"] if s["destination_sync_mode"] == "overwrite"}
        waiting: defaultdict[str, list[Row]] = defaultdict(list)
        for message in map(json.loads, messages):
            if message["type"] == "RECORD":
                waiting[message["record"]["stream"]].append(message["record"]["data"])
            elif message["type"] == "STATE":
                state = message["state"]["stream"]
                name = state["stream_descriptor"]["name"]
                if name not in replaced:
                    self._write(name, waiting.pop(name, []))
                    self._states[name] = state
            elif status := message.get("trace", {}).get("stream_status"):
                name = status["stream_descriptor"]["name"]
                if status["status"] == "COMPLETE" and name in replaced:
                    self._rows[name] = {}
                    self._write(name, waiting.pop(name, []))
        for name in waiting.keys() - replaced:
            self._write(name, waiting[name])

    def _write(self, name: str, rows: list[Row]) -> None:
        self._rows[name].update((identity(name, row), row) for row in rows)


class DuckDBDestination:
    """The same on a real database."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.state = warehouse.state

    def rows_in(self, name: str) -> list[Row]:
        return rows_in(self._warehouse, name)

    def load(self, messages: Iterable[str], catalog: Message) -> None:
        self._warehouse.load(messages, catalog)


@cache
def discovered() -> list[dict[str, Any]]:
    """The streams, which are the same for every account."""
    config = {"credentials": {"auth_type": "Token", "api_token": "any"}}
    with TemporaryDirectory() as folder:
        [message] = run(Path(folder), "discover", config=config).of_type("CATALOG")
    found: list[dict[str, Any]] = message["catalog"]["streams"]
    return found


def sync_into(folder: Path, config: dict[str, Any], warehouse: Warehouse, names: list[str] | None = None) -> None:
    """One sync of everything or of some streams as the platform does it: state from the warehouse, messages into it."""
    catalog = configured(discovered(), names)
    result = run(folder, "read", config=config, catalog=catalog, state=warehouse.state())
    assert result.exit_code == 0
    warehouse.load(result.messages, catalog)


def plain(row: Row) -> Row:
    """A row as the records have it: dates and times as text."""
    found = {}
    for column, value in row.items():
        if isinstance(value, datetime):
            found[column] = f"{value:%Y-%m-%dT%H:%M:%SZ}"
        else:
            found[column] = value.isoformat() if isinstance(value, date | time) else value
    return found


def rows_in(warehouse: Warehouse, name: str) -> list[Row]:
    """The rows of a table; every column of theirs is described, so that nothing is left over."""
    rows = [plain(row) for row in warehouse.rows(name)]
    assert [row.pop("_extra") for row in rows] == [None] * len(rows)
    assert len({identity(name, row) for row in rows}) == len(rows)
    return rows
