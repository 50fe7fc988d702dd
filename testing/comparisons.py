"""Rows by their keys: those that syncs brought, and those that an account has."""

from typing import Any

from emulator import Harvest
from testing.expected_reports import Row, is_zero
from testing.expected_tables import identity, tables
from testing.in_process import Sync
from testing.streams import TIME_STREAMS


def held(name: str, *syncs: Sync) -> dict[tuple[Any, ...], Row]:
    """What a destination holds of a table after these syncs."""
    return {identity(name, row): row for result in syncs for row in result.records(name)}


def assert_whole(harvest: Harvest, *syncs: Sync, names: list[str] = TIME_STREAMS) -> None:
    """The syncs together brought each row of these tables as it is now."""
    for name in names:
        held = {identity(name, row): row for result in syncs for row in result.records(name)}
        assert held == {identity(name, row): row for row in tables(harvest)[name]}


def keyed(name: str, rows: list[Row]) -> dict[tuple[Any, ...], Row]:
    """Rows by their key; rows of zeros are as good as none."""
    return {identity(name, row): row for row in rows if not is_zero(row)}


def flat(row: Row) -> Row:
    """Without what a record repeats of other records, which Harvest renames there without saying so here."""
    return {column: value for column, value in row.items() if not isinstance(value, dict | list)}
