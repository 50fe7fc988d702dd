"""A row that parses and that no message can hold: it fails its own stream, and costs nothing but itself."""

from typing import Any

import orjson
import pytest

from emulator import Harvest
from testing.expected_tables import identity, tables
from testing.in_process import Sync, sync

DEEP = orjson.Fragment(b"[" * 1000 + b"]" * 1000)
READ = ["clients", "roles", "project_users", "user_projects", "user_project_tasks", "invoices", "invoice_messages"]
READ += ["invoice_payments", "expenses", "time_entries", "time_entry_external_reference"]

# Table and field that hold it, and the streams among whose rows it then is.
CASES = [
    ("clients", "address", {"clients"}),
    ("roles", "name", {"roles"}),
    ("time_entries", "notes", {"time_entries"}),
    ("project_users", "budget", {"project_users", "user_projects", "time_entries"}),
    ("invoice_messages", "subject", {"invoice_messages"}),
]
TABLES = {"project_users": "user_assignments"}


def held(result: Sync, name: str) -> set[tuple[Any, ...]]:
    return {identity(name, row) for row in result.records(name)}


def true(harvest: Harvest, name: str) -> set[tuple[Any, ...]]:
    return {identity(name, row) for row in tables(harvest)[name]}


@pytest.mark.slow
@pytest.mark.parametrize(("stream", "field", "failing"), CASES, ids=[case[0] for case in CASES])
def test_a_row_that_cannot_be_written_is_named_and_left_out_and_comes_once_it_can_be(
    stream: str, field: str, failing: set[str], harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 20
    table = TABLES.get(stream, stream)
    row_id = list(harvest.state.parents.get(table) or harvest.state.table(table).rows)[-1]
    before = harvest.state.row(table, row_id)[field]
    harvest.update(table, row_id, bump=False, **{field: DEEP})

    first = sync(config, READ)
    assert first.statuses == {name: "INCOMPLETE" if name in failing else "COMPLETE" for name in READ}
    assert {name for name in first.errors if name in failing} == set(first.errors) == failing
    assert f"{row_id}) cannot be written" in first.errors[stream][1]
    for name in READ:
        missing = true(harvest, name) - held(first, name)
        assert bool(missing) == (name in failing), name

    harvest.update(table, row_id, bump=False, **{field: before})
    second = sync(config, READ, first.state)
    assert second.error is None
    for name in failing:
        assert true(harvest, name) == held(first, name) | held(second, name)


def test_many_of_them_are_each_named_and_make_one_error(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for row_id in harvest.state.table("tasks").rows:
        harvest.update("tasks", row_id, name=DEEP)
    result = sync(config, ["tasks", "clients"])
    assert list(result.errors) == ["tasks"]
    told = result.errors["tasks"][1] + caplog.text
    assert all(f"(id {row_id})" in told for row_id in harvest.state.table("tasks").rows)
    assert result.counts == {"clients": len(harvest.listed("clients"))}
