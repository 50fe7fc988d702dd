"""The whole way: an account, the connector's command line, and tables in a warehouse that equal the account."""

from collections.abc import Iterator
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from conftest import config_of
from demo.loader import Warehouse
from emulator import Harvest, Server
from integration_tests.command_line import configured, run
from integration_tests.content import BY_YEAR, REPEATED, Row, identity, tables
from source_harvest.streams import STREAMS
from unit_tests.syncing import AS_OF_A_DAY, stream_name

FOREIGN_KEYS = [
    pytest.param(stream_name(stream), column, target, id=f"{stream_name(stream)}.{column}")
    for stream in STREAMS
    for column, target in stream.foreign_keys.items()
]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "warehouse.duckdb") as warehouse:
        yield warehouse


@cache
def _discovered() -> list[dict[str, Any]]:
    """The streams, which are the same for every account."""
    config = {"credentials": {"auth_type": "Token", "api_token": "any"}}
    with TemporaryDirectory() as folder:
        [message] = run(Path(folder), "discover", config=config).of_type("CATALOG")
    found: list[dict[str, Any]] = message["catalog"]["streams"]
    return found


def sync(folder: Path, config: dict[str, Any], warehouse: Warehouse, names: list[str] | None = None) -> None:
    """One sync of everything or of some streams as the platform does it: state from the warehouse, messages into it."""
    catalog = configured(_discovered(), names)
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


def held(warehouse: Warehouse, name: str) -> list[Row]:
    """The rows of a table; every column of theirs is described, so that nothing is left over."""
    rows = [plain(row) for row in warehouse.rows(name)]
    assert [row.pop("_extra") for row in rows] == [None] * len(rows)
    assert len({identity(name, row) for row in rows}) == len(rows)
    return rows


def flat(row: Row) -> Row:
    """Without what a record repeats of other records, which Harvest renames there without saying so here."""
    return {column: value for column, value in row.items() if not isinstance(value, dict | list)}


def without(columns: set[str], row: Row) -> Row:
    return {column: value for column, value in row.items() if column not in columns}


def test_the_warehouse_equals_the_account_after_a_first_sync(
    tmp_path: Path, harvest: Harvest, config: dict[str, Any], warehouse: Warehouse
) -> None:
    sync(tmp_path, config, warehouse)
    for name, rows in tables(harvest).items():
        found = {identity(name, row): row for row in held(warehouse, name)}
        # A warehouse has every column in every row; a record of Harvest's may lack some.
        whole = {column for row in rows for column in row}
        assert found == {identity(name, row): dict.fromkeys(found[identity(name, row)]) | row for row in rows}, name
        assert whole <= set(next(iter(found.values()), {}))


def test_the_warehouse_follows_the_account_through_later_syncs(
    tmp_path: Path, harvest: Harvest, config: dict[str, Any], warehouse: Warehouse
) -> None:
    """Deletions apart: Harvest tells nobody of them. Of a running timer the hours are those of the last change.

    Budgets have a history: of each day on which there was a sync. What is invoiced later than 90 days after its period
    stands there as not invoiced.
    """
    for _ in range(4):
        sync(tmp_path, config, warehouse)
        harvest.work(days=3)
    sync(tmp_path, config, warehouse)
    for name, rows in tables(harvest).items():
        repeated = REPEATED if name in AS_OF_A_DAY else set()
        found = {identity(name, row): without(repeated, flat(row)) for row in held(warehouse, name)}
        for row in rows:
            is_settled = name == "uninvoiced" and row["period_end"] < "2025-12-01"
            if not (row.get("is_running") or is_settled):
                kept = found[identity(name, row)]
                assert kept == dict.fromkeys(kept) | without(repeated, flat(row)), name
    assert len({row["snapshot_date"] for row in held(warehouse, "project_budget")}) == 5


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A warehouse after a first sync, for tests that only look."""
    folder = tmp_path_factory.mktemp("loaded")
    harvest = Harvest(size="xs", seed=0)
    with Server(harvest) as server, Warehouse(folder / "warehouse.duckdb") as warehouse:
        sync(folder, config_of(harvest, server) | BY_YEAR, warehouse)
        yield warehouse


@pytest.mark.parametrize(("table", "column", "target"), FOREIGN_KEYS)
def test_every_foreign_key_joins(table: str, column: str, target: str, loaded: Warehouse) -> None:
    [counts] = loaded.query(
        f"SELECT count({column}) AS keys, count(parent.id) AS joined "
        f"FROM {table} AS child LEFT JOIN {target} AS parent ON parent.id = child.{column}"
    )
    assert counts["keys"] == counts["joined"] > 0


def test_every_nested_reference_is_a_foreign_key_or_known_to_point_nowhere() -> None:
    nowhere = {"retainer_id", "recurring_invoice_id", "payment_gateway_id", "transaction_id", "employee_id"}
    nowhere |= {"external_reference_id", "group_id", "account_id"}
    nowhere |= {"record_id"}  # of whichever table its row names
    for stream in STREAMS:
        keys = [stream.primary_key] if isinstance(stream.primary_key, str) else stream.primary_key
        columns = ResourceSchemaLoader("source_harvest").get_schema(stream_name(stream))["properties"]
        for column in columns:
            if column.endswith("_id") and column not in nowhere:
                assert column in stream.foreign_keys, f"{stream_name(stream)}.{column}"
        assert set(keys) <= columns.keys()
