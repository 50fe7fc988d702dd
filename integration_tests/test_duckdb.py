"""The whole way: an account, the connector's command line, and tables in a warehouse that equal the account."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from demo.loader import Warehouse
from emulator import Harvest, Server
from source_harvest.streams import STREAMS
from testing.comparisons import flat
from testing.configs import BY_YEAR, config_of
from testing.destinations import DuckDBDestination
from testing.expected_reports import Row
from testing.expected_tables import identity, tables
from testing.streams import AS_OF_A_DAY, stream_name

# What reports repeat of other records: as these are called when a period is read for the last time.
REPEATED = {"client_name", "project_name", "task_name", "expense_category_name", "user_name"}
REPEATED |= {"is_contractor", "weekly_capacity", "avatar_url"}

FOREIGN_KEYS = [
    pytest.param(stream_name(stream), column, target, id=f"{stream_name(stream)}.{column}")
    for stream in STREAMS
    for column, target in stream.foreign_keys.items()
]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "warehouse.duckdb") as warehouse:
        yield warehouse


def without(columns: set[str], row: Row) -> Row:
    return {column: value for column, value in row.items() if column not in columns}


def test_the_warehouse_equals_the_account_after_a_first_sync(
    tmp_path: Path, harvest: Harvest, config: dict[str, Any], warehouse: Warehouse
) -> None:
    DuckDBDestination(warehouse).sync(tmp_path, config)
    for name, rows in tables(harvest, "year").items():
        found = {identity(name, row): row for row in DuckDBDestination(warehouse).held(name)}
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
        DuckDBDestination(warehouse).sync(tmp_path, config)
        harvest.work(days=3)
    DuckDBDestination(warehouse).sync(tmp_path, config)
    for name, rows in tables(harvest, "year").items():
        repeated = REPEATED if name in AS_OF_A_DAY else set()
        found = {identity(name, row): without(repeated, flat(row)) for row in DuckDBDestination(warehouse).held(name)}
        for row in rows:
            is_settled = name == "uninvoiced" and row["period_end"] < "2025-12-01"
            if not (row.get("is_running") or is_settled):
                kept = found[identity(name, row)]
                assert kept == dict.fromkeys(kept) | without(repeated, flat(row)), name
    assert len({row["snapshot_date"] for row in DuckDBDestination(warehouse).held("project_budget")}) == 5


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A warehouse after a first sync, for tests that only look."""
    folder = tmp_path_factory.mktemp("loaded")
    harvest = Harvest(size="xs", seed=0)
    with Server(harvest) as server, Warehouse(folder / "warehouse.duckdb") as warehouse:
        DuckDBDestination(warehouse).sync(folder, config_of(harvest, server) | BY_YEAR)
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
        keys = stream.primary_key
        columns = ResourceSchemaLoader("source_harvest").get_schema(stream_name(stream))["properties"]
        for column in columns:
            if column.endswith("_id") and column not in nowhere:
                assert column in stream.foreign_keys, f"{stream_name(stream)}.{column}"
        assert set(keys) <= columns.keys()
