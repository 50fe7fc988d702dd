"""States that the version before wrote, given to a sync of today's, and what the sync brings."""

from collections.abc import Mapping
from typing import Any

from airbyte_cdk.models import AirbyteStateMessage

from emulator import Harvest
from testing.expected_reports import Row
from testing.expected_tables import identity, tables
from testing.in_process import Sync, state_of

State = dict[str, Any]
Table = dict[tuple[Any, ...], Row]

ACCOUNT = {"account": "1486203"}
"""What the states say of the emulator's account."""


def given(**states: Mapping[str, Any]) -> list[AirbyteStateMessage]:
    """These states, as the platform gives them back."""
    return [message for name, state in states.items() for message in state_of(name, state)]


def table(harvest: Harvest, name: str) -> Table:
    """Its rows by key, but for running timers: their hours grow."""
    return {identity(name, row): row for row in tables(harvest, "year")[name] if not row.get("is_running")}


def brought(result: Sync, name: str) -> Table:
    return {identity(name, row): row for row in result.records(name) if not row.get("is_running")}


def assert_succeeded(result: Sync) -> None:
    assert (result.error, result.errors) == (None, {})
    assert set(result.statuses.values()) == {"COMPLETE"}
