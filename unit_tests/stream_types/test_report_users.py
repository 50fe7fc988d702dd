"""What another user does not see in a report is not taken for gone."""

from copy import deepcopy
from typing import Any

import pytest

from emulator import Harvest
from testing.accounts import an_entry
from testing.comparisons import keyed
from testing.expected_reports import is_zero, reports
from testing.expected_tables import identity
from testing.in_process import sync
from testing.streams import REPORTS


def told_of_rows_not_shown(caplog: pytest.LogCaptureFixture) -> int:
    """How many lines say that rows keep their last numbers."""
    return sum("These rows keep their last numbers" in message for message in caplog.messages)


@pytest.mark.parametrize("role", ["member", "manager"])
def test_what_another_user_does_not_see_becomes_no_zero(
    role: str, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    before = sync(config, ["time_team", "time_tasks"])
    assert told_of_rows_not_shown(caplog) == 0
    config["credentials"]["api_token"] = harvest.token_for(role)
    after = sync(config, ["time_team", "time_tasks"], before.state)
    assert after.counts["time_team"] > 0
    assert {row["user_id"] for row in after.records("time_team")} < {r["user_id"] for r in before.records("time_team")}
    assert not any(map(is_zero, after.records("time_team") + after.records("time_tasks")))
    assert told_of_rows_not_shown(caplog) == 1


def a_manager(harvest: Harvest, config: dict[str, Any], *, of_a_project: bool) -> tuple[int, int]:
    """Lets a manager read. Returns the manager, and somebody whose time the manager sees: in a project, or at all."""
    config["credentials"]["api_token"] = harvest.token_for("manager")
    user = harvest.oauth.user_of(config["credentials"]["api_token"], harvest.clock.now())
    slots = harvest.listed("user_assignments")
    for slot in slots:
        if slot["user"]["id"] == user:
            harvest.update("user_assignments", slot["id"], is_project_manager=of_a_project)
    mates = harvest.state.teammates[user]
    projects = [slot["project"] for slot in slots if slot["user"]["id"] == user and slot["is_active"]]
    others = [slot for slot in slots if slot["user"]["id"] not in (user, *mates) and slot["project"] in projects]
    seen = others[0] if of_a_project else next(slot for slot in slots if slot["user"]["id"] == mates[0])
    an_entry(harvest, "2026-02-10", user_id=seen["user"]["id"], project_id=seen["project"]["id"])
    return user, seen["user"]["id"]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["teammate", "project", "role"])
def test_what_a_user_sees_no_longer_becomes_no_zero(
    loss: str, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """And once an administrator reads, all is right: only what is gone becomes zero."""
    names, administrators = ["time_team", "expenses_team"], deepcopy(config)
    manager, seen = a_manager(harvest, config, of_a_project=loss == "project")
    own = an_entry(harvest, "2026-02-10", user_id=manager)
    first = sync(config, names)
    assert {manager, seen} <= {row["user_id"] for row in first.records("time_team")}
    harvest.delete("time_entries", own)
    if loss == "teammate":
        harvest.state.teammates[manager].remove(seen)
    for slot in harvest.listed("user_assignments"):
        if loss == "project" and slot["user"]["id"] == manager:
            harvest.update("user_assignments", slot["id"], is_project_manager=False)
    harvest.update("users", manager, access_roles=["member" if loss == "role" else "manager"])
    second = sync(config, names, first.state)
    assert seen not in {row["user_id"] for row in second.records("time_team") if row["period_start"] == "2026-02-01"}
    assert not any(map(is_zero, second.records("time_team")))
    assert told_of_rows_not_shown(caplog) == 1
    last = sync(administrators, names, second.state)
    held = {identity("time_team", row): row for s in (first, second, last) for row in s.records("time_team")}
    rows = [keyed("time_team", rows) for rows in (list(held.values()), reports(harvest)["time_team"])]
    held, expected = ({key: row for key, row in found.items() if key[-1] >= "2025-12-01"} for found in rows)
    assert held == expected


def test_a_report_that_the_user_may_not_read_fails_alone(harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = harvest.token_for("member")
    result = sync({**config, "replication_start_date": "2026-01-01"}, [*REPORTS, "project_budget"])
    assert result.statuses == {
        **dict.fromkeys([*REPORTS, "project_budget"], "COMPLETE"),
        "uninvoiced": "INCOMPLETE",
    }
    kind, message = result.errors["uninvoiced"]
    assert kind == "config_error"
    assert message.startswith("Harvest answered 403 (Not authorized!) to the request for reports/uninvoiced.")
    assert "Administrators and Managers with a permission for invoices" in message
    assert set(result.states) == {*REPORTS, "project_budget"} - {"uninvoiced"}


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("start", [{}, {"replication_start_date": "2026-01-01"}])
def test_where_expenses_are_switched_off_all_other_reports_are_whole(
    start: dict[str, str], status: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.modules.discard("expense")
    harvest.module_off_status = status
    result = sync({**config, **start}, REPORTS)
    expenses = {name for name in REPORTS if name.startswith("expenses_")}
    assert set(result.errors) == expenses
    assert all("the module for expenses is switched off" in message for _, message in result.errors.values())
    assert set(result.states) == set(REPORTS) - expenses
