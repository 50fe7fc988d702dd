"""A second sync reads what changed since the first one began, and nothing is lost between the two."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from emulator import Harvest
from emulator.account.timestamps import stamp
from source_harvest.streams import STREAMS
from testing.accounts import requests_to
from testing.expected_reports import Row
from testing.expected_tables import identity, tables
from testing.in_process import Sync, first_sync, state_of, sync
from testing.streams import CURSORS, LISTS, REPORTS, STREAM_NAMES, WHOLE, stream_name


@pytest.mark.slow
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
        if "is_running" not in request.query:
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
    cursor = sync(config, ["clients"]).states["clients"]["updated_at"]
    assert stamp(ready - timedelta(minutes=1)) < cursor <= stamp(ready - timedelta(seconds=1))


def test_a_date_header_that_is_no_date_is_as_good_as_none(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.date_header = False
    body = json.dumps({"clients": harvest.listed("clients"), "links": {"next": None}})
    harvest.faults.add(path="/clients$", status=200, body=body, headers={"date": "soon"})
    result = sync(config, ["clients"])
    assert result.records("clients") == harvest.listed("clients")
    moment = datetime.fromisoformat(result.states["clients"]["updated_at"].replace("Z", "+00:00"))
    assert timedelta(minutes=4, seconds=30) < datetime.now(timezone.utc) - moment < timedelta(minutes=5, seconds=30)


def test_a_row_counts_as_changed_where_it_does_not_say_or_says_parts_of_a_second(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    rows = [{"id": 1}, {"id": 2, "updated_at": None}, {"id": 3, "updated_at": "2025-12-31T23:55:00.500Z"}]
    rows.append({"id": 4, "updated_at": "2025-12-31T23:54:59Z"})
    harvest.faults.add(path="/clients$", status=200, body=json.dumps({"clients": rows, "links": {"next": None}}))
    result = sync(config, ["clients"], state_of("clients", {"updated_at": "2026-01-01T00:00:00Z"}))
    assert result.records("clients") == rows[:3]


@pytest.mark.slow
def test_a_second_sync_in_which_nothing_changed_brings_no_rows(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    second = sync(config, [*LISTS, *WHOLE], first.state)
    assert set(second.counts) == {*WHOLE, "time_entries"}
    assert [row["is_running"] for row in second.records("time_entries")] == [True]
    assert second.statuses == dict.fromkeys([*LISTS, *WHOLE], "COMPLETE")


@pytest.mark.slow
def test_a_second_sync_finds_exactly_the_rows_that_changed(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    began = first.states["clients"]["updated_at"]
    harvest.work(days=2)
    second = sync(config, [*LISTS, *WHOLE], first.state)
    whole = tables(harvest)
    for name in (*LISTS, *WHOLE):
        rows, cursor = whole[name], CURSORS.get(name, "updated_at")
        changed = [row for row in rows if name in WHOLE or row[cursor] >= began or row.get("is_running")]
        if name == "user_projects":
            changed = changed_user_projects(harvest, rows, began)
        found = {identity(name, row): row for row in second.records(name)}
        assert found == {identity(name, row): row for row in changed}, name
    assert {"time_entries", "invoices", "invoice_line_items", "invoice_payments", "user_projects"} <= set(second.counts)


def changed_user_projects(harvest: Harvest, rows: list[Row], began: str) -> list[Row]:
    """Those whose assignment, project or inherited rate changed."""
    projects = {row["id"] for row in harvest.listed("projects") if row["updated_at"] >= began}
    users = {row["id"] for row in harvest.listed("users") if row["updated_at"] >= began}
    own_rate = {row["id"] for row in harvest.listed("user_assignments") if row["hourly_rate"] is not None}
    return [
        row
        for row in rows
        if row["updated_at"] >= began
        or row["project_id"] in projects
        or (row["user_id"] in users and row["use_default_rates"] and row["id"] not in own_rate)
    ]


@pytest.mark.slow
def test_rows_that_did_not_change_do_not_come_again(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    client = harvest.listed("clients")[0]["id"]
    timer, entry = (row["id"] for row in harvest.listed("time_entries")[:2])
    invoice = harvest.listed("invoices")[0]["id"]
    harvest.update("clients", client, name="Renamed")
    harvest.update("time_entries", entry, hours=7.25)
    payment = harvest.add("invoice_payments", invoice_id=invoice, amount=12.5)
    second = sync(config, LISTS, first.state)
    assert [row["id"] for row in second.records("clients")] == [client]
    assert [row["id"] for row in second.records("time_entries")] == [entry, timer]
    assert [row["id"] for row in second.records("invoice_payments")] == [payment]
    assert {row["invoice_id"] for row in second.records("invoice_line_items")} <= {invoice}
    assert not second.records("contacts")
    assert not second.records("users")
    assert not second.records("expenses")


@pytest.mark.slow
def test_an_idle_sync_on_the_same_day_costs_one_request_per_list(harvest: Harvest, config: dict[str, Any]) -> None:
    state = first_sync(harvest, config).state
    harvest.requests.clear()
    sync(config, LISTS, state)
    running = requests_to(harvest, "/v2/time_entries")[1:]
    assert running == [{"per_page": "2000", "is_running": "true"}]
    assert len(harvest.requests) - len(running) == len({request.path for request in harvest.requests}) == 16


def test_what_changes_while_a_list_is_paged_comes_at_the_latest_with_the_next_sync(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 5
    entries = [row["id"] for row in harvest.listed("time_entries")]

    def meddle(request: Any) -> None:
        if request.path.endswith("/time_entries"):
            harvest.clock.advance(seconds=1)
            harvest.update("time_entries", entries[-1], hours=float(harvest.clock.now().second))

    harvest.before_page = meddle
    first = sync(config, ["time_entries"])
    harvest.before_page = None
    harvest.clock.advance(hours=1)
    second = sync(config, ["time_entries"], first.state)
    held = {row["id"]: row for row in first.records("time_entries") + second.records("time_entries")}
    assert held == {row["id"]: row for row in tables(harvest)["time_entries"]}


def test_the_cursor_is_the_moment_the_read_began_by_harvests_clock(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 2
    began = f"{harvest.clock.now():%Y-%m-%dT%H:%M:%SZ}"

    def pass_time(request: Any) -> None:
        if "page=1" not in request.path and request.query.get("cursor"):
            harvest.clock.advance(minutes=3)

    harvest.before_page = pass_time
    result = sync(config, ["clients"])
    assert result.states == {"clients": {"updated_at": began, "account": str(harvest.account_id)}}
    assert f"{harvest.clock.now():%Y-%m-%dT%H:%M:%SZ}" > began


def test_without_a_date_header_the_local_clock_serves_less_five_minutes(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.date_header = False
    before = datetime.now(timezone.utc) - timedelta(minutes=5, seconds=2)
    [state] = sync(config, ["clients"]).states.values()
    assert before <= datetime.fromisoformat(state["updated_at"].replace("Z", "+00:00"))
    assert datetime.fromisoformat(state["updated_at"].replace("Z", "+00:00")) <= before + timedelta(seconds=30)


@pytest.mark.parametrize("inclusive", [True, False])
def test_no_row_is_lost_whether_or_not_updated_since_includes_its_moment(
    inclusive: bool, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.since_is_inclusive = inclusive
    start = harvest.clock.now()
    client = harvest.add("clients", name="At that very second")
    state = {"updated_at": f"{start + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"}
    harvest.clock.advance(hours=1)
    result = sync(config, ["clients"], state_of("clients", state))
    assert [row["id"] for row in result.records("clients")] == [client]


@pytest.mark.slow
def test_a_full_refresh_reads_everything_whatever_the_state(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    again = sync(config, STREAM_NAMES, first.state, mode=SyncMode.full_refresh)
    assert again.counts == first.counts


def test_the_start_date_limits_facts_and_nothing_that_they_refer_to(harvest: Harvest, config: dict[str, Any]) -> None:
    whole = tables(harvest)
    facts = {
        "invoices": "updated_at",
        "invoice_line_items": "invoice_updated_at",
        "invoice_messages": "updated_at",
        "invoice_payments": "updated_at",
        "estimates": "updated_at",
        "estimate_line_items": "estimate_updated_at",
        "estimate_messages": "updated_at",
        "expenses": "updated_at",
        "time_entries": "updated_at",
        "time_entry_external_reference": "time_entry_updated_at",
        **dict.fromkeys(REPORTS, "period_end"),
        "pto_requests": "updated_at",
        "pto_request_days": "pto_request_updated_at",
        "pto_allocations": "year",
    }
    moments = sorted(row["updated_at"] for row in whole["time_entries"])
    start = moments[len(moments) // 2]
    result = sync({**config, "replication_start_date": start}, STREAM_NAMES)
    for name, rows in whole.items():
        expected = (
            [row for row in rows if (said := str(row[facts[name]])) >= start[: len(said)]] if name in facts else rows
        )
        found = {identity(name, row): row for row in result.records(name)}
        assert found == {identity(name, row): row for row in expected}, name


FACTS = [stream_name(stream) for stream in STREAMS if stream.limited_by_start_date and stream.list_key != "results"]


@pytest.mark.slow
def test_a_start_date_that_moves_back_brings_what_it_left_out(harvest: Harvest, config: dict[str, Any]) -> None:
    moments = sorted(row["updated_at"] for row in harvest.listed("time_entries"))
    early, late = ({**config, "replication_start_date": moments[len(moments) * part // 4]} for part in (1, 3))

    def rows(result: Sync) -> dict[str, dict[Any, Row]]:
        return {name: {identity(name, row): row for row in result.records(name)} for name in FACTS}

    states = sync(late, FACTS).state
    for moved in (early, config):
        harvest.clock.advance(minutes=10)
        result = sync(moved, FACTS, states)
        assert rows(result) == rows(sync(moved, FACTS, mode=SyncMode.full_refresh))
        states = result.state
        for unmoved in (moved, late, moved):  # what was delivered stays delivered
            harvest.clock.advance(minutes=10)
            idle = sync(unmoved, FACTS, states)
            assert [row["is_running"] for row in idle.records("time_entries")] == [True]
            assert set(idle.counts) == {"time_entries"}
            states = idle.state
    assert set(result.counts) == set(FACTS)


def test_a_state_that_says_nothing_of_its_start_date_is_taken_to_have_had_todays(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    moments = sorted(row["updated_at"] for row in harvest.listed("expenses"))
    late = {**config, "replication_start_date": moments[len(moments) // 2]}
    taken_over = sync(late, ["expenses"], state_of("expenses", {"updated_at": moments[-1]}))
    harvest.clock.advance(hours=1)
    assert sync(late, ["expenses"], taken_over.state).counts == {}
    assert sync(config, ["expenses"], taken_over.state).counts == {"expenses": len(moments)}


@pytest.mark.slow
def test_a_start_date_in_the_future_leaves_out_what_changes_until_then(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    first = first_sync(harvest, config)
    changed = [harvest.listed(name)[0]["id"] for name in ("expenses", "invoices")]
    for name, id_ in zip(("expenses", "invoices"), changed, strict=True):
        harvest.update(name, id_, notes="Changed meanwhile")
    harvest.clock.advance(hours=1)
    second = sync({**config, "replication_start_date": "2026-06-01"}, ["expenses", "invoices"], first.state)
    assert second.counts == {}
    third = sync(config, ["expenses", "invoices"], second.state)
    for name, id_ in zip(("expenses", "invoices"), changed, strict=True):
        assert id_ in {row["id"] for row in third.records(name)}
