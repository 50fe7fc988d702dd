"""Streams that are joined from several lists: an assignment comes again when anything in it changed."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from emulator import Harvest
from emulator.account.timestamps import stamp
from testing.accounts import to_now
from testing.expected_tables import identity, tables
from testing.in_process import catalog, first_sync, sync


@pytest.mark.parametrize("name", ["user_projects", "user_project_tasks"])
def test_the_cursor_of_a_joined_stream_is_the_moment_its_first_list_began(
    name: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    began = harvest.clock.now()
    harvest.before_page = lambda _: harvest.clock.advance(minutes=3)
    result = sync({**config, "num_workers": 1}, [name])
    assert result.states == {
        name: {"updated_at": stamp(began + timedelta(minutes=3)), "account": str(harvest.account_id)}
    }
    assert len(harvest.requests) > 1


@pytest.mark.slow
def test_an_assignment_comes_again_when_the_default_rate_that_it_inherits_changes(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    first = first_sync(harvest, config)
    inherits = {
        row["id"]: row["user"]["id"]
        for row in harvest.listed("user_assignments")
        if row["use_default_rates"] and row["hourly_rate"] is None
    }
    user = next(iter(inherits.values()))
    harvest.update("users", user, default_hourly_rate=321.5)
    second = sync(config, ["user_projects"], first.state)
    mine = {id_ for id_, owner in inherits.items() if owner == user}
    found = {row["id"]: row for row in second.records("user_projects")}
    assert found == {row["id"]: row for row in tables(harvest)["user_projects"] if row["id"] in mine}
    assert {row["hourly_rate"] for row in found.values()} == {321.5}


@pytest.mark.slow
def test_a_users_task_comes_again_when_the_projects_task_changes(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    task = harvest.listed("task_assignments")[0]["id"]
    harvest.update("task_assignments", task, is_active=False)
    second = sync(config, ["user_project_tasks"], first.state)
    rows = {identity("user_project_tasks", row): row for row in tables(harvest)["user_project_tasks"]}
    found = {identity("user_project_tasks", row): row for row in second.records("user_project_tasks")}
    assert found == {key: row for key, row in rows.items() if row["project_task_id"] == task} != {}


def test_an_assignment_whose_project_was_deleted_meanwhile_has_no_client(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    gone = harvest.listed("user_assignments")[0]["project"]["id"]
    whole = {row["id"]: row for row in tables(harvest)["user_projects"]}

    def delete(request: Any) -> None:
        if request.path.endswith("/projects") and gone in {row["id"] for row in harvest.listed("projects")}:
            harvest.delete("projects", gone)

    harvest.before_page = delete
    result = sync({**config, "num_workers": 1}, ["user_projects"])
    expected = {
        id_: {**row, "client": None, "client_id": None} if row["project_id"] == gone else row
        for id_, row in whole.items()
    }
    assert {row["id"]: row for row in result.records("user_projects")} == expected
    assert result.statuses == {"user_projects": "COMPLETE"}


def test_a_project_without_tasks_has_no_user_project_tasks(harvest: Harvest, config: dict[str, Any]) -> None:
    project = harvest.add("projects", client_id=harvest.listed("clients")[0]["id"])
    for task in [row["id"] for row in harvest.listed("task_assignments") if row["project"]["id"] == project]:
        harvest.delete("task_assignments", task)
    harvest.add("user_assignments", project_id=project, user_id=harvest.listed("users")[0]["id"])
    result = sync(config, ["user_project_tasks"])
    assert result.statuses == {"user_project_tasks": "COMPLETE"}
    found = {identity("user_project_tasks", row): row for row in result.records("user_project_tasks")}
    assert found == {identity("user_project_tasks", row): row for row in tables(harvest)["user_project_tasks"]}


def test_an_assignments_own_rate_goes_before_the_default_rate(harvest: Harvest, config: dict[str, Any]) -> None:
    assignment = next(row for row in harvest.listed("user_assignments") if row["use_default_rates"])
    harvest.update("users", assignment["user"]["id"], default_hourly_rate=99.0)
    harvest.update("user_assignments", assignment["id"], hourly_rate=11.0)
    found = {row["id"]: row for row in sync(config, ["user_projects"]).records("user_projects")}
    assert found == {row["id"]: row for row in tables(harvest)["user_projects"]}
    assert found[assignment["id"]]["hourly_rate"] == 11.0


def test_an_assignment_without_any_rate_has_none(harvest: Harvest, config: dict[str, Any]) -> None:
    assignment = next(row for row in harvest.listed("user_assignments") if row["hourly_rate"] is None)
    harvest.update("users", assignment["user"]["id"], default_hourly_rate=99.0)
    harvest.update("user_assignments", assignment["id"], use_default_rates=False)
    found = {row["id"]: row for row in sync(config, ["user_projects"]).records("user_projects")}
    assert found == {row["id"]: row for row in tables(harvest)["user_projects"]}
    assert found[assignment["id"]]["hourly_rate"] is None


@pytest.mark.slow
def test_an_assignment_comes_again_when_its_project_moves_to_another_client(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    first = first_sync(harvest, config)
    project = harvest.listed("user_assignments")[0]["project"]["id"]
    other = harvest.add("clients", name="Another client")
    harvest.update("projects", project, client_id=other)
    second = sync(config, ["user_projects"], first.state)
    expected = [row for row in tables(harvest)["user_projects"] if row["project_id"] == project]
    found = sorted(second.records("user_projects"), key=lambda row: row["id"])
    assert found == sorted(expected, key=lambda row: row["id"])
    assert {row["client_id"] for row in found} == {other}


def test_a_project_that_appears_between_two_lists_gives_no_assignment_without_a_client(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    client, user = harvest.listed("clients")[0]["id"], harvest.listed("users")[0]["id"]

    def add_project(request: Any) -> None:
        if request.path.endswith("/user_assignments") and seen and not added:
            harvest.clock.advance(seconds=5)
            added.append(harvest.add("projects", name="In between", client_id=client))
            harvest.add("user_assignments", project_id=added[0], user_id=user)
        seen.append(request.path)

    seen: list[str] = []
    added: list[int] = []
    harvest.before_page = add_project
    first = sync({**config, "num_workers": 1}, ["projects", "user_projects"])
    harvest.clock.advance(hours=1)
    second = sync(config, ["projects", "user_projects"], first.state)
    held = {row["id"]: row for row in first.records("user_projects") + second.records("user_projects")}
    assert added
    assert all(row["client_id"] for row in first.records("user_projects"))
    assert held == {row["id"]: row for row in tables(harvest)["user_projects"]}


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
