"""A second sync reads what changed since the first one began, and nothing is lost between the two."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airbyte_cdk.models import FailureType, SyncMode

from emulator import Harvest
from source_harvest.streams import STREAMS
from unit_tests.syncing import LISTS, REPORTS, STREAM_NAMES, WHOLE, Sync, state_of, stream_name, sync
from unit_tests.tables import Row, identity, tables

CURSORS = {
    "invoice_line_items": "invoice_updated_at",
    "estimate_line_items": "estimate_updated_at",
    "time_entry_external_reference": "time_entry_updated_at",
}


def first_sync(harvest: Harvest, config: dict[str, Any]) -> Sync:
    """A sync of everything, after which an hour passes."""
    harvest.clock.advance(hours=1)
    result = sync(config, STREAM_NAMES)
    harvest.clock.advance(hours=1)
    return result


def test_a_second_sync_in_which_nothing_changed_brings_no_rows(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    second = sync(config, [*LISTS, *WHOLE], first.state)
    assert set(second.counts) == set(WHOLE)
    assert second.statuses == dict.fromkeys([*LISTS, *WHOLE], "COMPLETE")


def test_a_second_sync_finds_exactly_the_rows_that_changed(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    began = first.states["clients"]["updated_at"]
    harvest.work(days=2)
    second = sync(config, [*LISTS, *WHOLE], first.state)
    whole = tables(harvest)
    for name in (*LISTS, *WHOLE):
        rows, cursor = whole[name], CURSORS.get(name, "updated_at")
        changed = [row for row in rows if name in WHOLE or row[cursor] >= began]
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


def test_rows_that_did_not_change_do_not_come_again(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    client, entry = harvest.listed("clients")[0]["id"], harvest.listed("time_entries")[0]["id"]
    invoice = harvest.listed("invoices")[0]["id"]
    harvest.update("clients", client, name="Renamed")
    harvest.update("time_entries", entry, hours=7.25)
    payment = harvest.add("invoice_payments", invoice_id=invoice, amount=12.5)
    second = sync(config, LISTS, first.state)
    assert [row["id"] for row in second.records("clients")] == [client]
    assert [row["id"] for row in second.records("time_entries")] == [entry]
    assert [row["id"] for row in second.records("invoice_payments")] == [payment]
    assert {row["invoice_id"] for row in second.records("invoice_line_items")} <= {invoice}
    assert not second.records("contacts")
    assert not second.records("users")
    assert not second.records("expenses")


def unannounced(harvest: Harvest, state: str) -> int:
    """Adds a message to an invoice that does not show it; returns the message's id."""
    invoice = next(row for row in reversed(harvest.listed("invoices")) if row["state"] == state)
    message = harvest.add("invoice_messages", invoice_id=invoice["id"], reminder=True, event_type=None)
    assert invoice in harvest.listed("invoices")
    return message


def messages_found(harvest: Harvest, config: dict[str, Any], state: Any, **advance: int) -> tuple[set[int], int, Any]:
    """The ids of the invoice messages that a sync after some time brings, its child requests, and its state."""
    harvest.clock.advance(**advance)
    harvest.requests.clear()
    result = sync(config, ["invoices", "invoice_messages"], state)
    visits = [request for request in harvest.requests if request.path.endswith("/messages")]
    return {row["id"] for row in result.records("invoice_messages")}, len(visits), result.state


def test_children_that_no_parent_announces_are_found_within_a_day_while_the_parent_is_alive(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    state = first_sync(harvest, config).state
    message = unannounced(harvest, "open")
    assert messages_found(harvest, config, state, hours=1)[:2] == (set(), 0)
    found, visits, state = messages_found(harvest, config, state, days=1)
    assert found == {message}
    assert 0 < visits < len(harvest.listed("invoices"))
    assert messages_found(harvest, config, state, hours=1)[:2] == (set(), 0)


def test_children_that_no_parent_announces_are_found_within_a_week_whatever_the_parent(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    state = first_sync(harvest, config).state
    message = unannounced(harvest, "paid")
    found, _, state = messages_found(harvest, config, state, days=5)
    assert message not in found
    found, visits, state = messages_found(harvest, config, state, days=2)
    assert message in found
    assert visits == len(harvest.listed("invoices"))
    assert messages_found(harvest, config, state, hours=1)[:2] == (set(), 0)


def test_children_of_every_parent_are_visited_in_each_sync_where_the_config_says_so(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    config = {**config, "child_full_read_days": 0}
    state = first_sync(harvest, config).state
    message = unannounced(harvest, "paid")
    assert messages_found(harvest, config, state, hours=1)[:2] == ({message}, len(harvest.listed("invoices")))


def test_an_idle_sync_on_the_same_day_costs_one_request_per_list(harvest: Harvest, config: dict[str, Any]) -> None:
    state = first_sync(harvest, config).state
    harvest.requests.clear()
    sync(config, LISTS, state)
    assert len(harvest.requests) == len({request.path for request in harvest.requests}) == 14


def test_what_is_below_each_user_costs_a_request_for_each_in_every_sync(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    state = first_sync(harvest, config).state
    harvest.requests.clear()
    sync(config, ["billable_rates", "cost_rates", "teammates"], state)
    users = harvest.listed("users")
    managers = [user for user in users if "manager" in user["access_roles"]]
    expected = ["/v2/users"]
    expected += [f"/v2/users/{user['id']}/{rates}" for user in users for rates in ("billable_rates", "cost_rates")]
    expected += [f"/v2/users/{user['id']}/teammates" for user in managers]
    assert sorted(request.path for request in harvest.requests) == sorted(expected)


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
    # The hours of a running timer grow with every look at it.
    settled = {row["id"]: row for row in tables(harvest)["time_entries"] if not row["is_running"]}
    assert {id_: row for id_, row in held.items() if not row["is_running"]} == settled


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
    }
    moments = sorted(row["updated_at"] for row in whole["time_entries"])
    start = moments[len(moments) // 2]
    result = sync({**config, "replication_start_date": start}, STREAM_NAMES)
    for name, rows in whole.items():
        expected = (
            [row for row in rows if row[facts[name]] >= start[: len(row[facts[name]])]] if name in facts else rows
        )
        found = {identity(name, row): row for row in result.records(name)}
        assert found == {identity(name, row): row for row in expected}, name


FACTS = [stream_name(stream) for stream in STREAMS if stream.limited_by_start_date and stream.list_key != "results"]


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
            assert idle.counts == {}
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


def test_the_states_of_the_earlier_connector_are_taken_over(harvest: Harvest, config: dict[str, Any]) -> None:
    first = first_sync(harvest, config)
    moment = first.states["clients"]["updated_at"]
    assert not sync(config, ["clients"], state_of("clients", {"updated_at": moment})).records("clients")
    per_parent = {
        "use_global_cursor": False,
        "states": [{"partition": {"parent_id": 1}, "cursor": {"updated_at": moment}}],
        "parent_state": {"invoices": {"updated_at": moment}},
    }
    again = sync(config, ["invoice_messages"], state_of("invoice_messages", per_parent))
    assert again.counts == {"invoice_messages": first.counts["invoice_messages"]}


def test_a_state_from_the_future_is_distrusted_and_the_stream_read_anew(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    future = {"updated_at": "2999-01-01T00:00:00Z"}
    result = sync(config, ["clients"], state_of("clients", future))
    assert result.counts == {"clients": len(harvest.listed("clients"))}
    assert result.states["clients"]["updated_at"] < "2999"


@pytest.mark.parametrize(
    ("stream", "state"),
    [
        ("clients", {"updated_at": "2026-01-01T00:00:00Z"}),
        ("time_entries", {"unfinished": {"began": "2026-01-01T00:00:00Z", "spans": [["2025-01-01", None]]}}),
        ("time_clients", {"period_end": "2026-01-01T00:00:00Z", "period": "month"}),
        ("deleted_records", {"lists": {"clients": "2026-01-01"}}),
    ],
)
def test_the_state_of_another_account_is_no_state_of_this_one(
    stream: str, state: dict[str, Any], harvest: Harvest, config: dict[str, Any]
) -> None:
    """What changed there since says nothing of what changed here."""
    result = sync(config, ["clients", stream], state_of(stream, {**state, "account": "777"}))
    assert result.error
    assert result.error.failure_type is FailureType.config_error
    said = f"The state of {stream} is of the Harvest account 777, and the source now reads {config['account_id']}"
    assert said in str(result.error.message)
    assert result.messages == harvest.requests == []


@pytest.mark.parametrize(
    "state",
    [
        {"updated_at": "soon"},
        {"updated_at": "now"},
        {"updated_at": "12:00"},
        {"updated_at": "0001-01-01T00:00:00Z"},
        {"updated_at": 5},
        {"updated_at": None},
        {"cursor": {}},
        {"updated_at": "2026-01-01T00:00:00Z", "account": 1486203},
        {"updated_at": "2026-01-01T00:00:00Z", "account": ["1486203"]},
        {"updated_at": "2026-01-01T00:00:00Z", "start": "soon"},
        {"updated_at": "2026-01-01T00:00:00Z", "from_a_newer_version": 1},
        {"unfinished": 5},
        {"unfinished": {"began": "2026-01-01T00:00:00Z", "spans": [["2026-01-01"]]}},
        {"unfinished": {"began": "2026-01-01T00:00:00Z", "spans": [["x", None]]}},
    ],
)
def test_an_unreadable_state_is_an_error_that_names_the_stream_and_the_cure(
    state: dict[str, Any], config: dict[str, Any]
) -> None:
    result = sync(config, ["clients"], state_of("clients", state))
    assert result.error is not None
    assert 'The state of the stream "clients" cannot be read' in str(result.error)
    assert "Clear the stream's data" in str(result.error)
    assert result.messages == []
