"""Snapshots of budgets: one for each of the user's days."""

from typing import Any

import pytest

from emulator import Harvest
from testing.accounts import an_entry, move_to
from testing.expected_tables import identity, tables
from testing.in_process import sync


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Berlin", "2026-03-31T21:59:59", "2026-03-31"),
        ("Berlin", "2026-03-31T22:00:00", "2026-04-01"),
        ("Eastern Time (US & Canada)", "2026-04-01T03:59:59", "2026-03-31"),
    ],
)
def test_a_snapshot_of_budgets_is_of_the_users_day(
    zone: str, moment: str, day: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    me = next(user["id"] for user in harvest.listed("users") if "administrator" in user["access_roles"])
    harvest.update("users", me, timezone=zone)
    move_to(harvest, moment)
    assert {row["snapshot_date"] for row in sync(config, ["project_budget"]).records("project_budget")} == {day}


def test_syncs_of_several_days_make_a_history_of_budgets(harvest: Harvest, config: dict[str, Any]) -> None:
    state, held, expected = None, {}, {}
    for day in ("2026-03-03", "2026-03-04", "2026-04-01"):
        move_to(harvest, day)
        for _ in range(2):  # the second sync of a day replaces the first
            an_entry(harvest, day)
            harvest.clock.advance(hours=3)
            result = sync(config, ["project_budget"], state)
            state = result.state
            held |= {identity("project_budget", row): row for row in result.records("project_budget")}
            expected |= {identity("project_budget", row): row for row in tables(harvest)["project_budget"]}
    assert held == expected
    assert len({day for _, day in held}) == 3
