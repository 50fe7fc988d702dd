"""Promises that the other tests would not notice broken; each was seen to fail on a connector broken on purpose."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

from conftest import config_of
from emulator import Harvest, Server
from source_harvest import SourceHarvest, budget
from source_harvest.errors import HarvestError
from source_harvest.gate import Gate
from source_harvest.transport import REQUEST_KWARGS
from unit_tests.syncing import LISTS, LOGGER, STREAM_NAMES, catalog, state_of, sync
from unit_tests.tables import identity, tables
from unit_tests.test_budget import take_turn
from unit_tests.test_check import check, without
from unit_tests.test_config import TOKEN, settings
from unit_tests.test_incremental import CURSORS, first_sync

# Before conftest.py's fixture lifts it.
TRUE_REQUESTS = budget.REQUESTS


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def test_each_state_is_keyed_by_its_streams_cursor_column(config: dict[str, Any]) -> None:
    for name, state in sync(config, LISTS).states.items():
        assert set(state) & {"updated_at", *CURSORS.values()} == {CURSORS.get(name, "updated_at")}, name


@pytest.mark.parametrize("name", CURSORS)
def test_the_earlier_connectors_key_is_taken_over_where_the_column_has_another_name_today(
    name: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.clock.advance(hours=1)
    state = {"updated_at": stamp(harvest.clock.now())}
    harvest.clock.advance(hours=1)
    result = sync(config, [name], state_of(name, state))
    assert (result.error, result.counts) == (None, {})


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"__ab_no_cursor_state_message": True},
        {"states": []},
        {"use_global_cursor": True, "state": {"updated_at": "2026-03-02T09:00:00Z"}},
        {"parent_state": {"invoices": {"updated_at": "2026-03-02T09:00:00Z"}}, "updated_at": "2026-03-02T09:00:00Z"},
    ],
)
def test_a_state_that_holds_no_moment_of_the_whole_stream_reads_it_anew(
    state: dict[str, Any], harvest: Harvest, config: dict[str, Any]
) -> None:
    result = sync(config, ["invoice_messages"], state_of("invoice_messages", state))
    assert result.error is None
    assert result.counts == {"invoice_messages": len(tables(harvest)["invoice_messages"])}


def test_a_state_with_another_zone_is_the_moment_that_it_says(harvest: Harvest, config: dict[str, Any]) -> None:
    now = harvest.clock.now()
    client = harvest.add("clients", name="New")
    harvest.clock.advance(hours=1)
    east = (now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    result = sync(config, ["clients"], state_of("clients", {"updated_at": east}))
    assert [row["id"] for row in result.records("clients")] == [client]


def test_streams_of_one_list_each_find_their_own_changes(harvest: Harvest, config: dict[str, Any]) -> None:
    """A list is asked for once, from the earliest change on that any of its streams needs."""
    names = ["invoices", "invoice_line_items"]
    early = sync(config, names)
    harvest.clock.advance(hours=1)
    invoice = next(row["id"] for row in harvest.listed("invoices") if row["line_items"])
    harvest.update("invoices", invoice, notes="Changed")
    harvest.clock.advance(hours=1)
    late = sync(config, names)
    harvest.clock.advance(hours=1)
    for behind, ahead in (names, reversed(names)):
        states = [s for s in early.state if s.stream.stream_descriptor.name == behind]
        states += [s for s in late.state if s.stream.stream_descriptor.name == ahead]
        result = sync(config, names, states)
        parent = "id" if behind == "invoices" else "invoice_id"
        assert set(result.counts) == {behind}
        assert result.records(behind) == [row for row in tables(harvest)[behind] if row[parent] == invoice]


def test_a_stream_with_a_state_from_the_future_is_read_anew_from_the_start_date_on(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    moments = sorted(row["updated_at"] for row in harvest.listed("expenses"))
    config["replication_start_date"] = moments[len(moments) // 2]
    first = sync(config, ["expenses"])
    again = sync(config, ["expenses"], state_of("expenses", {"updated_at": "2999-01-01T00:00:00Z"}))
    assert again.records("expenses") == first.records("expenses")
    assert len(first.records("expenses")) < len(moments)


def test_a_state_from_the_future_brings_no_row_twice(harvest: Harvest, config: dict[str, Any]) -> None:
    states = state_of("invoices", {"updated_at": "2999-01-01T00:00:00Z"})
    states += state_of("invoice_line_items", {"invoice_updated_at": "2024-01-01T00:00:00Z"})
    result = sync(config, ["invoices", "invoice_line_items"], states)
    assert result.counts == {name: len(tables(harvest)[name]) for name in ("invoices", "invoice_line_items")}


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


def test_harvest_is_asked_for_the_changes_only(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    harvest.requests.clear()
    sync(config, ["clients", "time_entries", "invoice_messages"], first.state)
    since = {
        name: stamp(datetime.fromisoformat(first.states[name]["updated_at"][:19]) - timedelta(minutes=5, seconds=1))
        for name in ("clients", "time_entries", "invoice_messages")
    }
    for request in harvest.requests:
        name = {"clients": "clients", "time_entries": "time_entries", "messages": "invoice_messages"}
        expected = since.get(name.get(request.path.rsplit("/", 1)[-1], ""))  # all invoices: each may have a new message
        assert request.query.get("updated_since") == expected, request.path


@pytest.mark.parametrize("state_is_older", [True, False])
def test_a_state_and_a_start_date_both_limit_a_fact(
    state_is_older: bool, harvest: Harvest, config: dict[str, Any]
) -> None:
    moments = sorted(row["updated_at"] for row in harvest.listed("time_entries"))
    early, late = moments[len(moments) // 3], moments[2 * len(moments) // 3]
    config["replication_start_date"] = late if state_is_older else early
    state = {"updated_at": early if state_is_older else late}
    result = sync(config, ["time_entries"], state_of("time_entries", state))
    from_ = late if state_is_older else stamp(datetime.fromisoformat(late[:19]) - timedelta(minutes=5))
    expected = {row["id"]: row for row in tables(harvest)["time_entries"] if row["updated_at"] >= from_}
    assert {row["id"]: row for row in result.records("time_entries")} == expected


def test_the_seconds_that_an_answer_took_are_taken_off_the_cursor(harvest: Harvest, config: dict[str, Any]) -> None:
    ready = harvest.clock.now()
    harvest.faults.add(path="/clients$", kind="slow", seconds=1.1)
    assert sync(config, ["clients"]).states["clients"]["updated_at"] == stamp(ready - timedelta(seconds=1))


def test_a_date_header_that_is_no_date_is_as_good_as_none(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.date_header = False
    body = json.dumps({"clients": harvest.listed("clients"), "links": {"next": None}})
    harvest.faults.add(path="/clients$", status=200, body=body, headers={"date": "soon"})
    result = sync(config, ["clients"])
    assert result.records("clients") == harvest.listed("clients")
    moment = datetime.fromisoformat(result.states["clients"]["updated_at"].replace("Z", "+00:00"))
    assert timedelta(minutes=4, seconds=30) < datetime.now(timezone.utc) - moment < timedelta(minutes=5, seconds=30)


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


def test_a_users_task_comes_again_when_the_projects_task_changes(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    task = harvest.listed("task_assignments")[0]["id"]
    harvest.update("task_assignments", task, is_active=False)
    second = sync(config, ["user_project_tasks"], first.state)
    rows = {identity("user_project_tasks", row): row for row in tables(harvest)["user_project_tasks"]}
    found = {identity("user_project_tasks", row): row for row in second.records("user_project_tasks")}
    assert found == {key: row for key, row in rows.items() if row["project_task_id"] == task} != {}


def test_every_list_is_asked_for_with_the_largest_pages(harvest: Harvest, config: dict[str, Any]) -> None:
    sync({**config, "replication_start_date": "2026-01-01"}, STREAM_NAMES)
    lists = [request for request in harvest.requests if request.path not in ("/v2/company", "/v2/users/me")]
    assert {request.query.get("per_page") for request in lists} == {"2000"}


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


def one_row(harvest: Harvest, name: str, row: Mapping[str, Any]) -> None:
    """Harvest's next answer for the list is this row."""
    harvest.faults.add(path=f"/{name}$", status=200, body=json.dumps({name: [row], "links": {"next": None}}))


def test_a_reference_that_harvest_leaves_out_gives_a_null_key(harvest: Harvest, config: dict[str, Any]) -> None:
    row = dict(harvest.listed("contacts")[0])
    del row["client"]
    one_row(harvest, "contacts", row)
    assert sync(config, ["contacts"]).records("contacts") == [{**row, "client_id": None}]


@pytest.mark.parametrize(
    ("shown", "time_of_day"),
    [
        ("12:00am", "00:00:00"),
        ("12:30pm", "12:30:00"),
        ("3:05 PM", "15:05:00"),
        ("15:00:30", "15:00:30"),
        ("13:00pm", None),
        ("0:30am", None),
        ("24:00", None),
        ("10:61", None),
        ("10:00:61", None),
        ("3:00pm CET", None),
        ("noon", None),
    ],
)
def test_a_displayed_time_is_a_time_of_day_or_null(
    shown: str, time_of_day: str | None, harvest: Harvest, config: dict[str, Any]
) -> None:
    entry = tables(harvest)["time_entries"][0]
    one_row(harvest, "time_entries", {**entry, "started_time": shown, "ended_time": None})
    found = sync(config, ["time_entries"]).records("time_entries")
    assert found == [{**entry, "started_time": time_of_day, "ended_time": None}]


@pytest.mark.parametrize(
    ("sent", "flags"),
    [
        ({"access_roles": ["manager", "managed_projects_invoice_drafter"]}, "is_project_manager can_create_invoices"),
        ({"access_roles": ["administrator"]}, "is_admin can_see_rates can_create_projects can_create_invoices"),
        ({"access_roles": []}, ""),
        ({}, None),
    ],
)
def test_the_flags_follow_from_the_access_roles(
    sent: dict[str, Any], flags: str | None, harvest: Harvest, config: dict[str, Any]
) -> None:
    columns = ["is_admin", "is_project_manager", "can_see_rates", "can_create_projects", "can_create_invoices"]
    user = {"id": 1, "updated_at": "2026-01-01T00:00:00Z", **sent}
    one_row(harvest, "users", user)
    expected = {column: None if flags is None else column in flags.split() for column in columns}
    assert sync(config, ["users"]).records("users") == [{**user, **expected}]


def test_a_flag_that_harvest_sends_is_kept(harvest: Harvest, config: dict[str, Any]) -> None:
    user = {"id": 1, "access_roles": ["administrator"], "is_admin": False, "can_see_rates": None}
    one_row(harvest, "users", user)
    [found] = sync(config, ["users"]).records("users")
    implied = {"is_project_manager": False, "can_create_projects": True, "can_create_invoices": True}
    assert found == {**user, **implied}


def test_a_row_counts_as_changed_where_it_does_not_say_or_says_parts_of_a_second(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    rows = [{"id": 1}, {"id": 2, "updated_at": None}, {"id": 3, "updated_at": "2025-12-31T23:55:00.500Z"}]
    rows.append({"id": 4, "updated_at": "2025-12-31T23:54:59Z"})
    harvest.faults.add(path="/clients$", status=200, body=json.dumps({"clients": rows, "links": {"next": None}}))
    result = sync(config, ["clients"], state_of("clients", {"updated_at": "2026-01-01T00:00:00Z"}))
    assert result.records("clients") == rows[:3]


@pytest.mark.parametrize(
    ("path", "body", "stream"),
    [
        ("/invoices$", {"invoices": [{"id": 1, "updated_at": "2026-01-01T00:00:00Z"}]}, "invoice_line_items"),
        ("/contacts$", {"contacts": [{"id": 1, "client": "Acme"}]}, "contacts"),
        ("/payments$", {"invoice_payments": [{"id": 1, "payment_gateway": "cash"}]}, "invoice_payments"),
        ("/user_assignments$", {"user_assignments": [{"id": 1}]}, "user_projects"),
    ],
)
def test_a_row_that_is_not_as_documented_is_one_sentence_and_fails_its_stream_alone(
    path: str, body: dict[str, Any], stream: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.faults.add(path=path, status=200, body=json.dumps({**body, "links": {"next": None}}), times=None)
    result = sync(config, [stream, "tasks"])
    kind, message = result.errors[stream]
    assert kind == "system_error"
    assert message.startswith("Harvest's answer for ")
    assert message.endswith("Please report this message.")
    assert set(result.states) == {"tasks"}


def test_the_error_of_a_stream_is_said_once(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/invoices$", status=403, times=None)
    result = sync(config, ["invoices", "invoice_messages", "invoice_payments", "clients"])
    told = [m.trace.error.stream_descriptor.name for m in result.messages if m.trace and m.trace.error]
    assert sorted(told) == ["invoice_messages", "invoice_payments", "invoices"]


def test_a_sync_that_takes_a_user_to_mend_is_a_config_error_whatever_else_failed(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=403, times=None)
    harvest.faults.add(path="/projects$", status=503, times=None)
    result = sync(config, ["clients", "projects", "tasks"])
    assert {name: kind for name, (kind, _) in result.errors.items()} == {
        "clients": "config_error",
        "projects": "transient_error",
    }
    assert result.error is not None
    assert result.error.failure_type.value == "config_error"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http://", "https://"),
        ("127.0.0.1:", "127.0.0.1:1"),
        ("127.", "127.1."),
        ("//127.", "//evil.example\\@127."),
        ("//127.", "//somebody:else@127."),
        ("//127.", "//\n127."),
        ("//127.", "//evil.example#@127."),
        ("/v2", "/v2#"),
    ],
)
def test_the_next_page_is_asked_for_at_the_same_scheme_host_and_port_only(
    old: str, new: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    link = f"{config['api_url'].replace(old, new)}/clients?page=2"
    body = json.dumps({"clients": [], "links": {"next": link}})
    harvest.faults.add(path="/clients$", status=200, body=body, times=None)
    assert "on another host" in sync(config, ["clients"]).errors["clients"][1]


def test_pages_that_lead_round_in_a_circle_are_an_error(harvest: Harvest, config: dict[str, Any]) -> None:
    body = {"clients": [], "links": {"next": f"{config['api_url']}/clients?page=2"}}
    harvest.faults.add(path="/clients$", status=200, body=json.dumps(body), times=5)
    result = sync(config, ["clients"])
    assert "its pages lead round in a circle" in result.errors["clients"][1]
    assert result.states == {}


@pytest.mark.parametrize("status", [408, 501, 507, 520])
def test_whatever_may_pass_is_asked_for_again(
    status: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=status)
    result = sync(config, ["clients"])
    assert result.records("clients") == tables(harvest)["clients"]
    assert len(naps) == 1


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        ('{"message": "Two\\nlines"}', "Two lines"),
        ('{"error": "bad", "error_description": "Really bad"}', "Really bad"),
        ("", "no message"),
        ("[]", "[]"),
        ("<!DOCTYPE html>\n<HTML><body>Oh</body></HTML>", "an HTML page"),
        ("x" * 5000, "x" * 200),
    ],
)
def test_what_harvest_said_is_quoted_on_one_short_line(
    body: str, quoted: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.faults.add(path="/clients$", status=422, body=body)
    kind, message = sync(config, ["clients"]).errors["clients"]
    assert message.startswith(f"Harvest answered 422 ({quoted}) to the request for clients.")
    assert kind == "system_error"


@pytest.mark.parametrize("status", [201, 204, 206])
def test_only_a_200_is_an_answer(status: int, harvest: Harvest, config: dict[str, Any]) -> None:
    body = "" if status == 204 else json.dumps({"clients": harvest.listed("clients")[:1], "links": {"next": None}})
    harvest.faults.add(path="/clients$", status=status, body=body)
    result = sync(config, ["clients"])
    assert result.errors["clients"][1].startswith(f"Harvest answered {status} (no message)")
    assert (result.counts, result.states) == ({}, {})


@pytest.mark.parametrize("status", [403, 404])
def test_a_module_that_is_switched_off_is_the_users_to_mend(
    status: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.modules.remove("expense")
    harvest.module_off_status = status
    result = sync(config, ["expenses", "clients"])
    kind, message = result.errors["expenses"]
    assert kind == "config_error"
    assert "switched off" in message
    assert result.statuses == {"expenses": "INCOMPLETE", "clients": "COMPLETE"}


def test_the_requests_of_check_have_their_time_limits_too(
    harvest: Harvest, config: dict[str, Any], naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REQUEST_KWARGS, "timeout", (0.2, 0.2))
    harvest.faults.add(path="/accounts$", kind="slow", seconds=0.6)
    assert check(config) == (True, "")
    assert [request.path for request in harvest.requests].count("/api/v2/accounts") == 2


def test_check_follows_no_redirect(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/accounts$", status=302, headers={"location": "/v2/company"})
    connected, message = check(config)
    assert not connected
    assert "follows no redirect" in message
    assert [request.path for request in harvest.requests] == ["/api/v2/accounts"]


def test_no_cookie_is_kept(harvest: Harvest, config: dict[str, Any]) -> None:
    link = f"{config['api_url']}/clients?page=2"
    body = json.dumps({"clients": [], "links": {"next": link}})
    harvest.faults.add(path="/clients$", status=200, body=body, headers={"set-cookie": "session=1; Path=/"})
    sync(config, ["clients"])
    assert len(harvest.requests) > 1
    assert all("cookie" not in request.headers for request in harvest.requests)


def test_the_account_is_looked_for_once(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 2
    sync(without(config, "account_id"), ["clients", "contacts", "tasks"])
    assert [request.path for request in harvest.requests].count("/api/v2/accounts") == 1


def test_an_account_that_cannot_be_told_ends_a_sync_before_its_streams(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    result = sync({**config, "account_id": "another"}, STREAM_NAMES)
    assert result.messages == []
    assert "The config field \"account_id\" is 'another'" in str(result.error)


@pytest.mark.parametrize(("role", "status"), [("manager", None), ("administrator", 404)])
def test_a_subdomain_that_its_user_may_not_see_is_said_with_the_accounts_that_would_work(
    role: str, status: int | None, harvest: Harvest, config: dict[str, Any]
) -> None:
    config["credentials"]["api_token"] = harvest.token_for(role)
    if status:
        harvest.faults.add(path="/company$", status=status)
    connected, message = check({**config, "account_id": harvest.subdomain})
    assert not connected
    assert f"Accounts that would work: {harvest.account_id} (Northlight Studio)." in message


@pytest.mark.parametrize("body", [{}, [], {"accounts": [{"id": 1}]}, {"accounts": None}])
def test_a_list_of_accounts_that_is_not_as_documented_is_said(
    body: Any, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/accounts$", status=200, body=json.dumps(body), times=None)
    connected, message = check(config)
    assert (connected, len(naps)) == (False, 5)
    assert message.startswith("Harvest's answer for list of accounts is not as documented: ")
    assert message.endswith("Please report this message.")


def test_what_harvest_said_first_is_told_where_the_accounts_cannot_be_asked_for(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=404, body='{"message": "Not here"}')
    harvest.faults.add(path="/accounts$", status=503, times=None)
    kind, message = sync(config, ["clients"]).errors["clients"]
    assert kind == "config_error"
    assert message.startswith("Harvest answered 404 (Not here) to the request for clients.")


@pytest.mark.parametrize("status", [401, 403])
def test_check_asks_for_something_in_the_account(status: int, harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/users/me$", status=status, body='{"message": "No"}')
    connected, message = check(config)
    assert not connected
    assert message.startswith(f"Harvest answered {status} (No) to the request for signed-in user.")


def test_a_token_endpoint_out_of_order_is_no_fault_of_the_settings(
    harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/oauth2/token$", status=503, times=None)
    kind, message = sync(oauth_config, ["clients"]).errors["clients"]
    assert kind == "transient_error"
    assert message.startswith("Harvest's access token could not be read: Harvest answered 503")
    assert len(naps) == 5
    for secret in ("client_secret", "refresh_token"):
        assert oauth_config["credentials"][secret] not in message


def test_the_request_for_a_token_says_who_asks_too(harvest: Harvest, oauth_config: dict[str, Any]) -> None:
    sync(oauth_config, ["clients"])
    assert "/api/v2/oauth2/token" in [request.path for request in harvest.requests]
    assert all(request.headers["user-agent"].startswith("source-harvest/") for request in harvest.requests)


def test_configuring_leaves_no_copy_of_the_credentials_on_disk(tmp_path: Path) -> None:
    config = {"credentials": TOKEN}
    assert SourceHarvest().configure(config, str(tmp_path)) is config
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "127.example.com"])
def test_http_is_not_for_hosts_that_are_named_like_this_machine(host: str) -> None:
    with pytest.raises(HarvestError, match='The config field "api_url" is '):
        settings({"credentials": TOKEN, "api_url": f"http://{host}"})


@pytest.mark.parametrize("num_workers", [1, 40])
def test_the_number_of_workers_is_the_configs(num_workers: int) -> None:
    assert settings({"credentials": TOKEN, "num_workers": num_workers}).num_workers == num_workers


def test_the_limit_is_100_requests_in_a_little_more_than_15_seconds(
    monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    monkeypatch.setattr(budget, "REQUESTS", TRUE_REQUESTS)
    session = budget.PatientSession(share=1, gate=Gate(1), connections=1)
    limit = session.limit_for(requests.Request("GET", "https://api.harvestapp.com/v2/clients").prepare())
    for _ in range(100):
        take_turn(limit)
    assert naps == []
    take_turn(limit)
    assert 15 < sum(naps) < 17


def test_all_streams_share_one_budget(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from Harvest; half a window of slack, because a busy machine hands on some requests later than others."""
    monkeypatch.setattr(budget, "REQUESTS", 4)
    monkeypatch.setattr(budget, "WINDOW", timedelta(seconds=1))
    sync(config, ["clients", "contacts", "expenses", "tasks", "time_entries", "projects", "roles", "users", "invoices"])
    arrived = [request.at for request in harvest.requests]
    assert len(arrived) == 9
    assert all(fifth - first > 0.5 for first, fifth in zip(arrived, arrived[4:], strict=False))


@pytest.mark.parametrize("names", [["time_entries"], STREAM_NAMES], ids=["one list", "all"])
def test_a_sync_that_is_given_up_asks_for_nothing_more(
    names: list[str], harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap, harvest.latency = 2, 0.05
    reading = SourceHarvest().read(LOGGER, {**config, "num_workers": 2}, catalog(names))
    next(message for message in reading if message.record)
    reading.close()
    asked = len(harvest.requests)
    time.sleep(1)
    assert len(harvest.requests) <= asked + 2  # what was on its way


def test_a_program_that_gave_up_a_sync_can_end(config: dict[str, Any]) -> None:
    """With a queue that is full, because nobody reads on."""
    program = """
import json, sys, time
from source_harvest import SourceHarvest, engine
from unit_tests.syncing import LOGGER, STREAM_NAMES, catalog
engine.QUEUE_SIZE = 10
reading = SourceHarvest().read(LOGGER, json.loads(sys.argv[1]), catalog(STREAM_NAMES))
next(message for message in reading if message.record)
time.sleep(0.5)
reading.close()
"""
    child = subprocess.run([sys.executable, "-c", program, json.dumps(config)], timeout=120, check=False)
    assert child.returncode == 0


def test_no_more_is_read_ahead_than_the_queue_holds() -> None:
    """While nobody looks at the rows for a while."""
    big = Harvest(size="s")
    big.page_size_cap = 100
    with Server(big) as server:
        reading = SourceHarvest().read(LOGGER, config_of(big, server), catalog(["time_entries"]))
        next(message for message in reading if message.record)
        time.sleep(3)
        asked = len(big.requests)
        rest = sum(1 for message in reading if message.record)
    assert rest + 1 == len(big.listed("time_entries"))
    assert asked < len(big.requests)
