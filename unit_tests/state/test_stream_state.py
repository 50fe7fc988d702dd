"""What a state says is continued from, whoever wrote it, or is an error that names its stream."""

from datetime import timedelta
from typing import Any

import pytest
from airbyte_cdk.models import FailureType

from emulator import Harvest
from emulator.account.timestamps import stamp
from testing.expected_tables import tables
from testing.in_process import first_sync, state_of, sync
from testing.streams import CURSORS, DELETED, LISTS


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


@pytest.mark.slow
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


def test_only_reports_take_the_state_of_the_earlier_connectors_reports(config: dict[str, Any]) -> None:
    result = sync(config, ["clients"], state_of("clients", {"to": "20260215"}))
    assert 'The state of the stream "clients" cannot be read' in str(result.error)


def test_a_state_of_deleted_records_that_is_none_is_one_sentence(harvest: Harvest, config: dict[str, Any]) -> None:
    for broken in ({"ids": {"clients": "?"}}, {"ids": {"clients": 3}}, {"lists": 1}, {"gone": {"clients": "x"}}):
        result = sync(config, [DELETED], state_of(DELETED, {"detected_at": "2026-01-01T00:00:00Z", **broken}))
        assert result.error is not None
        assert str(result.error.message).startswith(f'The state of the stream "{DELETED}" cannot be read')
