"""What docs/data-model.md says of keys where a start date is set."""

import re
from pathlib import Path

import pytest

import docs
from demo.loader import Warehouse
from emulator import Harvest, Server
from testing.configs import BY_YEAR, config_of
from testing.destinations import DuckDBDestination

PAGE = (Path(docs.__path__[0]) / "data-model.md").read_text(encoding="utf-8")
JOINS = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)\.id`( \*)? \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("start", ["2025-09-01", "2025-12-01"])
def test_with_a_start_date_only_marked_keys_may_point_to_what_is_not_there(start: str, tmp_path: Path) -> None:
    harvest = Harvest(size="xs", seed=0)
    for entry in harvest.listed("time_entries"):
        if entry["invoice"]:  # touched after the invoice was left alone
            harvest.update("time_entries", entry["id"], notes="seen again")
    with Server(harvest) as server, Warehouse(tmp_path / "warehouse.duckdb") as warehouse:
        DuckDBDestination(warehouse).sync(
            tmp_path, config_of(harvest, server) | BY_YEAR | {"replication_start_date": start}
        )
        missing = {
            (table, column)
            for table, column, target, _ in JOINS
            if warehouse.query(
                f"FROM {table} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM {target}) LIMIT 1"
            )
        }
    marked = {(table, column) for table, column, _, mark in JOINS if mark}
    assert ("time_entries", "invoice_id") in missing
    assert missing <= marked
