"""One stream's table during one load: what waits to be written, how it is written, what it changed."""
# ruff: noqa: S608 - the names in these statements come from the catalog, and are quoted.

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.columns import MisfitError, columns_of, row_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import duckdb

_POSITION = "_position"


@dataclass(frozen=True)
class Changes:
    """How many rows of a table a load added, altered, left alone and took away."""

    new: int
    changed: int
    unchanged: int
    removed: int

    @property
    def total(self) -> int:
        """The rows that the table holds now."""
        return self.new + self.changed + self.unchanged


class StreamTable:
    """Collects a stream's records on disk, and writes them to its table when the load says so."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, configured: Mapping[str, Any], waiting: Path) -> None:
        """Create the stream's table, or add the columns it lacks. `waiting` is where records wait."""
        stream = configured["stream"]
        self.name: str = stream["name"]
        self.incremental = configured["sync_mode"] == "incremental"
        self.replaces = configured["destination_sync_mode"] == "overwrite"
        if self.replaces and self.incremental:
            raise MisfitError(f"{self.name}: an incremental read brings a part of the rows, overwrite needs all")
        self.read = 0
        self._columns = columns_of(stream["json_schema"])
        key = configured.get("primary_key") or stream.get("source_defined_primary_key") or []
        self._key = [name for (name,) in key]
        if not self._columns.keys() >= set(self._key):
            raise MisfitError(f"{self.name}: the schema lacks a part of the primary key {self._key}")
        self._merges = bool(self._key) and configured["destination_sync_mode"] == "append_dedup"
        self._connection = connection
        self._table, self._before = quoted(self.name), quoted(f"_before_{self.name}")
        self._waiting = waiting
        self._spool = waiting.open("w+", encoding="utf-8")
        self._touched = False
        self._evolve()

    def add(self, record: Mapping[str, Any]) -> None:
        """Let a record wait for the next `write`. MisfitError where it does not fit the schema."""
        try:
            row = row_of(record, self._columns)
        except MisfitError as misfit:
            raise MisfitError(f"{self.name}.{misfit}") from misfit
        if self._merges and any(row[name] is None for name in self._key):
            raise MisfitError(f"{self.name}: a record without its primary key ({', '.join(self._key)})")
        self.read += 1
        self._spool.write(json.dumps(row | {_POSITION: self.read}) + "\n")

    def write(self) -> None:
        """Write all waiting records, inside the caller's transaction."""
        self._spool.flush()
        if self.replaces or self._waiting.stat().st_size:
            self._remember()
            self._write_waiting()
        self._spool.seek(0)
        self._spool.truncate()

    def changes(self) -> Changes:
        """What the table holds now, compared with what it held when the load began."""
        total = self._count(f"FROM {self._table}")
        if not self._touched:
            return Changes(new=0, changed=0, unchanged=total, removed=0)
        added = f"FROM {self._table} EXCEPT ALL FROM {self._before}"
        gone = f"FROM {self._before} EXCEPT ALL FROM {self._table}"
        key = _listed(self._key)
        both = f"SELECT {key} FROM ({added}) INTERSECT SELECT {key} FROM ({gone})"
        more, fewer = self._count(added), self._count(gone)
        changed = self._count(both) if self._key else 0
        self._connection.execute(f"DROP TABLE {self._before}")
        return Changes(new=more - changed, changed=changed, unchanged=total - more, removed=fewer - changed)

    def close(self) -> None:
        """Forget what still waits."""
        self._spool.close()

    def _evolve(self) -> None:
        declared = ", ".join(f"{quoted(name)} {column}" for name, column in self._columns.items())
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {self._table} ({declared})")
        described = self._connection.execute(f"DESCRIBE {self._table}").fetchall()
        existing = {name: column for name, column, *_ in described}
        for name, column in self._columns.items():
            if name not in existing:
                self._connection.execute(f"ALTER TABLE {self._table} ADD COLUMN {quoted(name)} {column}")
            elif existing[name] != column:
                self._connection.execute(f"ALTER TABLE {self._table} ALTER {quoted(name)} TYPE {column}")

    def _remember(self) -> None:
        if not self._touched:
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {self._before} AS FROM {self._table}")
        self._touched = True

    def _write_waiting(self) -> None:
        types = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in self._columns.items())
        rows = f"""
            FROM read_json({literal(str(self._waiting))}, format = 'newline_delimited',
                           columns = {{{types}, {literal(_POSITION)}: 'BIGINT'}})"""
        names = _listed(self._columns)
        if self._merges:
            self._connection.execute(f"""
                MERGE INTO {self._table}
                USING (SELECT {names} {rows} QUALIFY {self._is_latest()}) USING ({_listed(self._key)})
                WHEN MATCHED THEN UPDATE BY NAME
                WHEN NOT MATCHED THEN INSERT BY NAME""")
            return
        if self.replaces:
            self._connection.execute(f"DELETE FROM {self._table}")
        self._connection.execute(f"INSERT INTO {self._table} BY NAME SELECT {names} {rows} ORDER BY {_POSITION}")

    def _is_latest(self) -> str:
        return f"row_number() OVER (PARTITION BY {_listed(self._key)} ORDER BY {_POSITION} DESC) = 1"

    def _count(self, rows: str) -> int:
        (count,) = self._connection.execute(f"SELECT count(*) FROM ({rows})").fetchall()[0]
        return int(count)


def quoted(name: str) -> str:
    """The name of a table or column as SQL spells it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)
