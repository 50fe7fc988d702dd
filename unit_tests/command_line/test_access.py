"""What users of every role may read, and how the connector says what they may not."""

import logging
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.source import SourceHarvest
from testing.expected_tables import tables
from testing.in_process import LOGGER, sync
from testing.streams import DELETED, STREAM_NAMES

PERMISSIONS = [
    "project_creator",
    "billable_rates_manager",
    "managed_projects_invoice_drafter",
    "managed_projects_invoice_manager",
    "client_and_task_manager",
    "time_and_expenses_manager",
    "estimates_manager",
]
USERS = [
    ("administrator",),
    ("member",),
    ("manager",),
    *(("manager", permission) for permission in PERMISSIONS),
    ("manager", *PERMISSIONS),
]
INVOICES = {
    *("invoices", "invoice_line_items", "invoice_messages", "invoice_payments", "invoice_item_categories"),
    "uninvoiced",
}
ESTIMATES = {"estimates", "estimate_line_items", "estimate_messages", "estimate_item_categories"}
EXPENSES = {
    *("expenses", "expense_categories"),
    *("expenses_clients", "expenses_projects", "expenses_categories", "expenses_team"),
}


def told_unreadable(caplog: pytest.LogCaptureFixture, config: dict[str, Any]) -> dict[str, str]:
    """What `check`, which passes, says of each stream that cannot be read."""
    with caplog.at_level(logging.INFO):
        status = SourceHarvest().check(logging.getLogger("airbyte"), config)
    assert (status.status.value, status.message) == ("SUCCEEDED", None)
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    starts = [line.removeprefix("The stream ") for line in lines if line.startswith("The stream ")]
    return dict(line.split(" cannot be read. ") for line in starts)


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS, ids=" ".join)
def test_check_tells_beforehand_which_streams_a_sync_cannot_read(
    user: tuple[str, ...], harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    config["credentials"]["api_token"] = harvest.token_for(*user)
    unreadable = told_unreadable(caplog, config)
    result = sync(config, STREAM_NAMES)
    assert {name for name, status in result.statuses.items() if status == "INCOMPLETE"} == set(unreadable)
    assert {name: message for name, (_, message) in result.errors.items()} == unreadable
    assert {kind for kind, _ in result.errors.values()} <= {"config_error"}
    assert all("Administrator" in message for message in unreadable.values())
    assert set(result.states) - {DELETED} == set(STREAM_NAMES) - set(unreadable) - {DELETED}
    assert (unreadable == {}) == (user == ("administrator",))


@pytest.mark.parametrize("user", USERS, ids=" ".join)
def test_what_a_user_may_read_is_whole_rates_or_not(
    user: tuple[str, ...], harvest: Harvest, config: dict[str, Any]
) -> None:
    """Rows and fields that Harvest hides from a role are no error."""
    config["credentials"]["api_token"] = harvest.token_for(*user)
    result = sync(config, ["users", "tasks", "roles", "clients", "time_entries"])
    for name in set(result.states) & {"tasks", "roles", "clients"}:
        assert {row["id"] for row in result.records(name)} == {row["id"] for row in tables(harvest)[name]}
    rated = [row for row in result.records("users") if "cost_rate" in row]
    assert bool(rated) == (user == ("administrator",))
    assert result.statuses["time_entries"] == "COMPLETE"


@pytest.mark.parametrize("user", USERS, ids=" ".join)
def test_discover_is_the_same_for_everyone(user: tuple[str, ...], harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = harvest.token_for(*user)
    assert [stream.name for stream in SourceHarvest().discover(LOGGER, config).streams] == STREAM_NAMES
    assert harvest.requests == []


def test_a_user_who_is_no_administrator_is_told_that_rows_are_hidden(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    told_unreadable(caplog, config)
    assert "not an Administrator" not in caplog.text
    config["credentials"]["api_token"] = harvest.token_for("member")
    told_unreadable(caplog, config)
    assert "This user is not an Administrator" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(("module", "streams"), [("invoice", INVOICES), ("estimate", ESTIMATES), ("expense", EXPENSES)])
def test_a_module_that_is_switched_off_is_said_to_be(
    module: str,
    streams: set[str],
    status: int,
    harvest: Harvest,
    config: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    harvest.modules.discard(module)
    harvest.module_off_status = status
    unreadable = told_unreadable(caplog, config)
    assert set(unreadable) == streams
    assert all(f"the module for {module}s is switched off" in reason for reason in unreadable.values())
    result = sync(config, STREAM_NAMES)
    assert {name: message for name, (_, message) in result.errors.items()} == unreadable
    assert set(result.states) == set(STREAM_NAMES) - streams


@pytest.mark.slow
def test_the_company_is_asked_once_for_its_modules(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.modules.clear()
    sync(config, [name for name in STREAM_NAMES if name != "company"])
    paths = [request.path for request in harvest.requests]
    assert (paths.count("/v2/company"), paths.count("/api/v2/accounts")) == (1, 1)


def test_a_user_who_may_not_see_the_modules_is_told_both_reasons(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.modules.discard("expense")
    config["credentials"]["api_token"] = harvest.token_for("member")
    _, message = sync(config, ["expenses"]).errors["expenses"]
    assert "the module that holds expenses is switched off" in message


def test_a_plan_that_lacks_a_list_is_named(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/estimates$", status=402, times=None)
    kind, message = sync(config, ["estimates"]).errors["estimates"]
    assert (kind, "plan" in message) == ("config_error", True)


def test_a_list_that_fails_while_it_is_probed_does_not_fail_the_check(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture, naps: list[float]
) -> None:
    harvest.faults.add(path="/tasks$", status=503, times=None)
    unreadable = told_unreadable(caplog, config)
    assert set(unreadable) == {"tasks"}
    assert "the next sync tries again" in unreadable["tasks"]
    assert len(naps) == 5


def test_a_token_that_dies_while_lists_are_probed_fails_the_check(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/v2/clients$", status=401)
    status = SourceHarvest().check(LOGGER, config)
    assert status.status.value == "FAILED"
    assert "401" in str(status.message)
