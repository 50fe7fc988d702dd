"""A state that the version before wrote after a complete sync is continued.

That version wrote each of these states in a sync of the emulator's small account; today's version makes none of them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from emulator import Harvest
from emulator.account.timestamps import stamp
from testing.accounts import an_entry, move_to, requests_to
from testing.comparisons import flat, keyed
from testing.configs import BY_YEAR
from testing.expected_tables import tables
from testing.in_process import sync
from testing.report_syncs import asked
from testing.states_before import ACCOUNT, State, Table, assert_succeeded, brought, given, table
from testing.streams import AS_OF_A_DAY, DELETED, LISTS, REPORTS, STREAM_NAMES, WHOLE

COMPLETE = json.loads(Path(__file__).with_name("complete_states_of_the_version_before.json").read_text())
"""After two complete syncs of all streams, by year. A time entry was deleted between them."""
GONE = 3105466504

BEFORE = [name for name in STREAM_NAMES if not name.startswith("pto_")]
"""The streams of that version."""
RUNNING = "time_entries"
"""The stream whose running rows come in each sync."""

MESSAGES = "invoice_messages"


# Complete reads.


@pytest.fixture
def second_sync(harvest: Harvest) -> dict[str, Table]:
    """The tables after the second of the two syncs that `COMPLETE` is of."""
    move_to(harvest, "2026-03-03T10:00:00")
    harvest.delete("time_entries", GONE)
    return {name: table(harvest, name) for name in STREAM_NAMES}


def test_all_streams_have_a_state_here() -> None:
    assert list(COMPLETE) == BEFORE


@pytest.mark.slow
def test_where_nothing_changed_no_row_comes_again(
    harvest: Harvest, config: dict[str, Any], second_sync: dict[str, Table]
) -> None:
    harvest.clock.advance(hours=1)
    result = sync({**config, **BY_YEAR}, BEFORE, given(**COMPLETE))
    assert_succeeded(result)
    assert set(result.counts) == {*WHOLE, *AS_OF_A_DAY, RUNNING} & {*BEFORE}
    assert brought(result, RUNNING) == {}
    assert {name: set(state) for name, state in result.states.items()} == {
        name: set(state) for name, state in COMPLETE.items()
    }
    for name in ("clients", "time_entries", "expenses"):
        queries = [query for query in requests_to(harvest, f"/v2/{name}") if query["per_page"] != "1"]
        pages = [query for query in queries if "is_running" not in query]
        assert {query.get("updated_since") for query in pages} == {"2026-03-03T09:54:59Z"}, name
    assert all(last.year >= 2025 for name in REPORTS for _, last in asked(harvest, name))


def change(harvest: Harvest) -> None:
    """Something of each kind of stream."""
    entry = next(row for row in harvest.listed("time_entries") if row["external_reference"] and not row["is_running"])
    harvest.update("time_entries", entry["id"], notes="changed")
    harvest.update("clients", harvest.listed("clients")[0]["id"], address="changed")
    invoice = harvest.listed("invoices")[0]["id"]
    harvest.update("invoices", invoice, notes="changed")
    harvest.add(MESSAGES, invoice_id=invoice, subject="new")
    harvest.update("projects", harvest.listed("projects")[0]["id"], notes="changed")
    harvest.update("user_assignments", harvest.listed("user_assignments")[0]["id"], is_active=False)
    an_entry(harvest, "2026-03-02")


@pytest.mark.slow
def test_what_changed_since_comes_and_nothing_else_of_the_lists(
    harvest: Harvest, config: dict[str, Any], second_sync: dict[str, Table]
) -> None:
    harvest.clock.advance(hours=1)
    change(harvest)
    harvest.clock.advance(hours=1)
    result = sync({**config, **BY_YEAR}, STREAM_NAMES, given(**COMPLETE))
    assert_succeeded(result)
    for name in (*LISTS, *WHOLE):
        held = second_sync[name] | brought(result, name)
        assert {key: flat(row) for key, row in held.items()} == {
            key: flat(row) for key, row in table(harvest, name).items()
        }, name
    for name in REPORTS:
        held = {**second_sync[name], **brought(result, name)}
        assert keyed(name, list(held.values())) == keyed(name, tables(harvest, "year")[name]), name
    assert result.counts["clients"] == 1
    assert len(brought(result, "time_entries")) == 2
    assert result.counts["time_entry_external_reference"] == 1
    assert result.records(DELETED) == []


@pytest.mark.slow
def test_the_known_ids_tell_what_was_deleted_since_and_nothing_twice(
    harvest: Harvest, config: dict[str, Any], second_sync: dict[str, Table]
) -> None:
    def ids() -> set[tuple[str, int]]:
        found = {name: table(harvest, name) for name in STREAM_NAMES if name not in (*REPORTS, DELETED)}
        return {(name, row["id"]) for name, rows in found.items() for row in rows.values() if "id" in row}

    before = ids()
    payment = next(row for row in second_sync["invoice_payments"].values())
    harvest.delete("invoice_payments", payment["id"])
    harvest.delete("expenses", harvest.listed("expenses")[0]["id"])
    harvest.delete("estimates", harvest.listed("estimates")[0]["id"])
    harvest.clock.advance(days=8)
    result = sync({**config, **BY_YEAR}, STREAM_NAMES, given(**COMPLETE))
    assert_succeeded(result)
    gone = {(row["stream"], row["record_id"]) for row in result.records(DELETED) if row["is_deleted"]}
    assert {name for name, _ in gone} >= {"invoice_payments", "expenses", "estimates", "estimate_line_items"}
    assert gone == {(name, id_) for name, id_ in before - ids() if name != "teammates"}
    assert len(result.records(DELETED)) == len(gone)


@pytest.mark.slow
def test_a_record_that_was_deleted_and_is_back_is_told(
    harvest: Harvest, config: dict[str, Any], second_sync: dict[str, Table]
) -> None:
    """The account still has the entry where it is not deleted here."""
    back = Harvest(size="xs", seed=0).listed("time_entries")
    row = next(row for row in back if row["id"] == GONE)
    harvest.clock.advance(hours=1)
    body = {"time_entries": [{**row, "updated_at": stamp(harvest.clock.now())}], "links": {"next": None}}
    harvest.faults.add("/time_entries$", status=200, body=json.dumps({**body, "total_entries": 1}))
    harvest.clock.advance(minutes=1)
    result = sync(
        config, ["time_entries", DELETED], given(time_entries=COMPLETE["time_entries"], **{DELETED: COMPLETE[DELETED]})
    )
    assert [(row["record_id"], row["is_deleted"]) for row in result.records(DELETED)] == [(GONE, False)]


@pytest.mark.parametrize("name", [name for name in BEFORE if name in WHOLE])
def test_a_stream_that_is_always_read_whole_is(name: str, harvest: Harvest, config: dict[str, Any]) -> None:
    assert COMPLETE[name] == {"__ab_no_cursor_state_message": True}
    result = sync(config, [name], given(**{name: COMPLETE[name]}))
    assert brought(result, name) == table(harvest, name)


# A start date.

START = "2026-01-15T00:00:00Z"
LIMITED: dict[str, State] = {
    "time_entries": {"updated_at": "2026-03-02T10:00:00Z", "start": START, **ACCOUNT, "counted": True},
    "time_entry_external_reference": {"time_entry_updated_at": "2026-03-02T10:00:00Z", "start": START, **ACCOUNT},
    "invoices": {"updated_at": "2026-03-02T10:00:00Z", "start": START, **ACCOUNT, "counted": True},
    "invoice_line_items": {"invoice_updated_at": "2026-03-02T10:00:00Z", "start": START, **ACCOUNT, "counted": True},
    MESSAGES: {
        "updated_at": "2026-03-02T10:00:00Z",
        "all_parents_read": "2026-03-02T10:00:00Z",
        "living_parents_read": "2026-03-02T10:00:00Z",
        "start": START,
        **ACCOUNT,
        "counted": True,
    },
    DELETED: {
        "detected_at": "2026-03-02T10:00:00Z",
        **ACCOUNT,
        "start": START,
        "lists": {"invoices": "2026-03-02", "time_entries": "2026-03-02"},
        "ids": {
            "time_entries": [
                {"ids": "eNozNjQwNTEzMzYw0DE20jEEQUsIpWNoDGPAoTkuCWRtqNAYuzC6kUSJ4oAA8SskAA=="},
            ],
            "invoices": [{"ids": "eNoztjAxMTIyMAIAB1QBmg=="}],
            MESSAGES: [{"ids": "eNqzMDQ2N7c0MtYxBAALXQIG", "parents": "eNoztjAxMTIyMNIxAAALEAH2"}],
        },
    },
}
"""After a complete sync with a start date of January 15, 2026."""


@pytest.mark.parametrize("start", ["2026-01-15", "2026-02-20"])
def test_with_the_same_start_date_or_a_later_one_no_row_comes_again(
    start: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    move_to(harvest, "2026-03-02T11:00:00")
    result = sync({**config, "replication_start_date": start}, LIMITED, given(**LIMITED))
    assert_succeeded(result)
    assert result.counts.keys() == {RUNNING}
    assert brought(result, RUNNING) == {}
    assert result.states["time_entries"]["start"] == START


@pytest.mark.parametrize("start", [None, "2025-06-01"])
def test_a_start_date_that_moved_back_brings_what_it_left_out(
    start: str | None, harvest: Harvest, config: dict[str, Any]
) -> None:
    move_to(harvest, "2026-03-02T11:00:00")
    result = sync({**config, "replication_start_date": start} if start else config, LIMITED, given(**LIMITED))
    assert_succeeded(result)
    changed = {"invoice_line_items": "invoice_updated_at", "time_entry_external_reference": "time_entry_updated_at"}
    for name in LIMITED.keys() - {DELETED}:
        column = changed.get(name, "updated_at")
        expected = {key: row for key, row in table(harvest, name).items() if row[column] >= (start or "")}
        assert brought(result, name) == expected, name
        assert result.states[name].get("start") == (start and f"{start}T00:00:00Z")
    assert result.records(DELETED) == []
