"""Sequences of syncs, selections and odd answers, each of which once lost a row, doubled one or misled a user."""

import json
import logging
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from emulator import Harvest
from source_harvest import engine
from unit_tests.syncing import STREAM_NAMES, Sync, catalog, state_of, sync
from unit_tests.tables import identity, tables
from unit_tests.test_first_read import TIME, assert_whole, interrupted, requests_to


def to_now(harvest: Harvest) -> None:
    harvest.clock.advance(seconds=(datetime.now(timezone.utc) - harvest.clock.now()).total_seconds())


def test_a_later_page_may_come_without_a_date(harvest: Harvest, config: dict[str, Any]) -> None:
    to_now(harvest)
    harvest.page_size_cap = 2

    def meddle(request: Any) -> None:
        harvest.date_header = "cursor" not in request.query and request.query.get("page", "1") == "1"

    harvest.before_page = meddle
    result = sync(config, ["clients"])
    assert result.errors == {}
    assert len(requests_to(harvest, "/v2/clients")) > 1


def test_a_resumed_read_may_come_without_a_date(harvest: Harvest, config: dict[str, Any]) -> None:
    to_now(harvest)
    state = {"unfinished": {"began": f"{harvest.clock.now():%Y-%m-%dT%H:%M:%SZ}", "spans": [["2026-01-01", None]]}}
    harvest.clock.advance(minutes=2)
    harvest.date_header = False
    result = sync(config, ["time_entries"], state_of("time_entries", state))
    assert result.errors == {}


def test_a_joined_stream_of_which_one_list_comes_without_a_date(harvest: Harvest, config: dict[str, Any]) -> None:
    to_now(harvest)
    first = sync(config, ["user_projects"])
    harvest.clock.advance(minutes=2)
    project = harvest.listed("user_assignments")[0]["project"]["id"]
    clients = {row["id"]: row["client"]["id"] for row in harvest.listed("projects")}
    other = next(row["id"] for row in harvest.listed("clients") if row["id"] != clients[project])
    harvest.update("projects", project, client_id=other)

    def meddle(request: Any) -> None:
        harvest.date_header = not request.path.endswith("/projects")

    harvest.before_page = meddle
    second = sync({**config, "num_workers": 1}, ["user_projects"], first.state)
    harvest.before_page = None
    harvest.date_header = True
    harvest.clock.advance(minutes=2)
    third = sync(config, ["user_projects"], second.state)
    held = {row["id"]: row for s in (first, second, third) for row in s.records("user_projects")}
    assert second.statuses == {"user_projects": "COMPLETE"}
    assert held == {row["id"]: row for row in tables(harvest)["user_projects"]}


def test_a_full_refresh_leaves_no_checkpoint(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    result = sync(config, ["time_entries"], mode=SyncMode.full_refresh)
    assert "unfinished" not in str(result.state)


def test_an_unfinished_read_of_children_from_the_future_is_not_trusted(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    last = max(row["id"] for row in harvest.listed("invoices"))
    state = {"unfinished": {"began": "2999-01-01T00:00:00Z", "up_to_parent": last}}
    result = sync(config, ["invoice_messages"], state_of("invoice_messages", state))
    assert not result.states["invoice_messages"]["updated_at"].startswith("2999")


def test_an_unfinished_read_of_children_from_tomorrow_loses_nothing(harvest: Harvest, config: dict[str, Any]) -> None:
    last = max(row["id"] for row in harvest.listed("invoices"))
    invoice = next(row["id"] for row in harvest.listed("invoices") if row["state"] in ("open", "draft"))
    began = f"{harvest.clock.now() + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    harvest.clock.advance(hours=1)
    message = harvest.add("invoice_messages", invoice_id=invoice)
    harvest.update("invoices", invoice, notes="bumped")
    harvest.clock.advance(hours=1)
    state = {"unfinished": {"began": began, "up_to_parent": last}}
    one = sync(config, ["invoice_messages"], state_of("invoice_messages", state))
    harvest.clock.advance(days=9)
    two = sync(config, ["invoice_messages"], one.state)
    assert message in {row["id"] for s in (one, two) for row in s.records("invoice_messages")}


def test_a_new_stream_beside_an_old_one_goes_on_after_a_kill(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    old = sync(config, ["time_entries"])
    harvest.clock.advance(hours=1)
    whole = sync(config, TIME, old.state)
    *_, killed, _ = interrupted(whole)
    assert "unfinished" in killed.states[TIME[1]]
    harvest.requests.clear()
    sync(config, TIME, [*old.state, *killed.state])
    beside = len(harvest.requests)
    harvest.requests.clear()
    sync(config, TIME[1:], killed.state)
    alone = len(harvest.requests)
    assert beside <= alone + 3, (beside, alone)


def test_a_start_date_that_moves_back_between_two_attempts(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    moments = sorted(row["updated_at"] for row in harvest.listed("time_entries"))
    late = {**config, "replication_start_date": moments[len(moments) // 2]}
    whole = sync(late, ["time_entries"])
    cuts = [i for i, m in enumerate(whole.messages) if m.state]
    killed = Sync(whole.messages[: cuts[len(cuts) // 2] + 1])
    assert "unfinished" in killed.states["time_entries"]
    resumed = sync(config, ["time_entries"], killed.state)
    assert resumed.error is None
    assert_whole(harvest, killed, resumed, names=["time_entries"])


def test_a_module_that_is_off_while_children_are_read_deletes_no_parent(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    def off(request: Any) -> None:
        if request.path.endswith("/messages"):
            harvest.modules.discard("invoice")

    harvest.before_page = off
    first = sync(config, ["invoice_messages"])
    harvest.before_page = None
    harvest.modules.add("invoice")
    harvest.clock.advance(days=30)
    second = sync(config, ["invoice_messages"], first.state)
    held = {row["id"] for s in (first, second) for row in s.records("invoice_messages")}
    assert held == {row["id"] for row in tables(harvest)["invoice_messages"]}


def test_a_parent_without_a_moment(harvest: Harvest, config: dict[str, Any]) -> None:
    row = {**harvest.listed("invoices")[0], "updated_at": None}
    harvest.faults.add(path="/invoices$", status=200, body=json.dumps({"invoices": [row], "links": {"next": None}}))
    state = {"updated_at": "2026-01-01T00:00:00Z", "all_parents_read": "2026-01-01T00:00:00Z"}
    result = sync(config, ["invoice_messages"], state_of("invoice_messages", state))
    assert "An unexpected error" not in str(result.errors)


def test_an_invoice_without_a_day_is_read(harvest: Harvest, config: dict[str, Any]) -> None:
    row = {**harvest.listed("invoices")[0], "issue_date": None}
    harvest.faults.add(
        path="/invoices$", status=200, body=json.dumps({"invoices": [row], "total_entries": 1, "links": {"next": None}})
    )
    result = sync(config, ["invoices"])
    assert result.errors == {}


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


def change_a_task(harvest: Harvest) -> None:
    """What changes `user_project_tasks` and not `user_projects`."""
    harvest.clock.advance(hours=1)
    task = harvest.listed("task_assignments")[0]
    harvest.update("task_assignments", task["id"], is_active=not task["is_active"])
    harvest.clock.advance(hours=1)


def test_a_joined_stream_without_changes_beside_one_that_has_some(harvest: Harvest, config: dict[str, Any]) -> None:
    names = ["user_projects", "user_project_tasks"]
    first = sync(config, names)
    change_a_task(harvest)
    assignment = harvest.listed("user_assignments")[0]
    seen = 0

    def meddle(request: Any) -> None:
        nonlocal seen
        if request.path.endswith("/user_assignments"):
            seen += 1
            if seen == 2:
                harvest.clock.advance(seconds=1)
                harvest.update("user_assignments", assignment["id"], budget=3.0)

    harvest.before_page = meddle
    harvest.faults.add(path="/users$", kind="slow", seconds=1.0)
    second = sync(config, names, first.state)
    expected = {row["id"]: row for row in tables(harvest)["user_projects"]}
    assert all(row == expected[row["id"]] for row in second.records("user_projects"))


def test_a_joined_stream_in_full_refresh_beside_one_with_changes(harvest: Harvest, config: dict[str, Any]) -> None:
    names = ["user_projects", "user_project_tasks"]
    first = sync(config, names)
    change_a_task(harvest)
    asked = catalog(names)
    asked.streams[0].sync_mode = SyncMode.full_refresh
    harvest.faults.add(path="/users$", kind="slow", seconds=1.0)
    second = sync(config, names, first.state, asked=asked)
    counted = Counter(row["id"] for row in second.records("user_projects"))
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


@pytest.mark.parametrize("num_workers", [1, 8])
def test_no_thread_waits_for_ever_where_the_queue_is_short(
    num_workers: int, harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "QUEUE_SIZE", 1)
    harvest.page_size_cap = 7
    result = sync({**config, "num_workers": num_workers}, STREAM_NAMES)
    assert result.statuses == dict.fromkeys(STREAM_NAMES, "COMPLETE")


def test_a_summary_counts_the_requests_for_lists_that_are_no_stream_of_the_sync(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sync(config, ["user_projects"])
    assert f"user_projects: {len(harvest.listed('user_assignments'))} rows with 3 requests" in caplog.text


@pytest.mark.parametrize("gap", [1, 100])
def test_a_new_stream_beside_an_old_one_is_whole_after_a_kill(
    gap: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 5
    old = sync(config, ["time_entries"])
    harvest.clock.advance(hours=gap)
    rows = harvest.listed("time_entries")
    harvest.update("time_entries", rows[3]["id"], notes="a")
    harvest.clock.advance(hours=1)
    whole = sync(config, TIME, old.state)
    kills = list(interrupted(whole))
    killed = kills[len(kills) // 2]
    assert "time_entries" not in killed.states
    harvest.clock.advance(hours=1)
    harvest.update("time_entries", rows[-3]["id"], notes="b", spent_date=rows[0]["spent_date"])
    harvest.clock.advance(hours=1)
    resumed = sync(config, TIME, [*old.state, *killed.state])
    assert resumed.error is None
    assert_whole(harvest, old, killed, resumed)
    harvest.clock.advance(hours=1)
    harvest.update("time_entries", rows[7]["id"], notes="c")
    assert_whole(harvest, old, killed, resumed, sync(config, TIME, resumed.state))


def test_no_stream_waits_for_ever_where_nobody_can_tell_who_asks(harvest: Harvest, config: dict[str, Any]) -> None:
    user = {**harvest.listed("users")[0], "access_roles": True}
    harvest.faults.add("/users/me$", status=200, body=json.dumps(user), times=None)
    others = ["project_users", "project_tasks", "user_projects", "user_project_tasks", "clients"]
    result = sync(config, [*others, "deleted_records"])
    assert result.statuses == {**dict.fromkeys(others, "COMPLETE"), "deleted_records": "INCOMPLETE"}
    assert "not as documented" in result.errors["deleted_records"][1]


def test_users_without_roles_are_asked_for_their_teammates(harvest: Harvest, config: dict[str, Any]) -> None:
    users = [{k: v for k, v in user.items() if k != "access_roles"} for user in harvest.listed("users")]
    harvest.faults.add("/users$", status=200, body=json.dumps({"users": users, "links": {"next": None}}))
    rows = [identity("teammates", row) for row in sync(config, ["teammates"]).records("teammates")]
    assert sorted(rows) == sorted(identity("teammates", row) for row in tables(harvest)["teammates"]) != []


def test_only_reports_take_the_state_of_the_earlier_connectors_reports(config: dict[str, Any]) -> None:
    result = sync(config, ["clients"], state_of("clients", {"to": "20260215"}))
    assert 'The state of the stream "clients" cannot be read' in str(result.error)
