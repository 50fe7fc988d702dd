"""A full refresh holds no row twice and leaves no checkpoint."""

from collections import Counter
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from emulator import Harvest
from testing.expected_tables import identity
from testing.in_process import sync


def test_a_full_refresh_leaves_no_checkpoint(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    result = sync(config, ["time_entries"], mode=SyncMode.full_refresh)
    assert "unfinished" not in str(result.state)


@pytest.mark.parametrize("names", [["clients"], ["user_project_tasks"]])
def test_a_full_refresh_holds_no_row_twice(names: list[str], harvest: Harvest, config: dict[str, Any]) -> None:
    for n in range(8):
        harvest.add("clients", name=f"Client {n}")
    harvest.page_size_cap = 10
    seen = 0

    def meddle(request: Any) -> None:
        nonlocal seen
        seen += request.path.endswith(("/clients", "/user_assignments"))
        if seen == 2:
            seen += 1000
            harvest.add("clients", name="In between")
            slot = harvest.listed("user_assignments")[-1]
            harvest.delete("user_assignments", slot["id"])

    harvest.before_page = meddle
    result = sync({**config, "num_workers": 1}, names, mode=SyncMode.full_refresh)
    name = names[0]
    counted = Counter(identity(name, row) for row in result.records(name))
    assert max(counted.values()) == 1, counted.most_common(3)


def test_a_long_full_refresh_holds_no_row_twice(harvest: Harvest, config: dict[str, Any]) -> None:
    """No row changes while it is read; one changed half a minute before."""
    harvest.page_size_cap = 5
    harvest.clock.advance(hours=1)
    oldest = harvest.listed("time_entries")[-1]["id"]
    harvest.update("time_entries", oldest, hours=1.0)
    harvest.clock.advance(seconds=30)
    result = sync(config, ["time_entries"], mode=SyncMode.full_refresh)
    ids = [row["id"] for row in result.records("time_entries")]
    assert ids.count(oldest) == 1
