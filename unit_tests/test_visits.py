"""Lists below records: each record is visited until what is below it is known, and none is visited in vain."""

import re
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.children import BelowEachParent
from source_harvest.streams import STREAMS
from unit_tests.syncing import DELETED, Sync, state_of, stream_name, sync
from unit_tests.tables import identity, tables

BELOW_RECORDS = {
    "invoice_messages": "/invoices/{}/messages$",
    "invoice_payments": "/invoices/{}/payments$",
    "estimate_messages": "/estimates/{}/messages$",
    "billable_rates": "/users/{}/billable_rates$",
    "cost_rates": "/users/{}/cost_rates$",
    "teammates": "/users/{}/teammates$",
}
CHILDREN = [name for name in BELOW_RECORDS if name.endswith(("messages", "payments"))]


KINDS = {stream_name(kind): kind for kind in STREAMS if issubclass(kind, BelowEachParent)}


def test_all_lists_below_records_are_here() -> None:
    assert BELOW_RECORDS.keys() == KINDS.keys()


def rows_of(stream: str, *syncs: Sync) -> dict[tuple[Any, ...], Any]:
    """What a destination holds."""
    return {identity(stream, row): row for result in syncs for row in result.records(stream)}


def rows_at_harvest(harvest: Harvest, stream: str) -> dict[tuple[Any, ...], Any]:
    return {identity(stream, row): row for row in tables(harvest)[stream]}


def a_parent(harvest: Harvest, stream: str) -> int:
    """One that has something below it, and did not change for long."""
    key = KINDS[stream].parent_key
    return min(int(row[key]) for row in tables(harvest)[stream])


def requests_like(harvest: Harvest, path: str) -> int:
    return sum(re.search(path, request.path) is not None for request in harvest.requests)


def test_no_record_is_asked_for_where_nothing_is_wrong(harvest: Harvest, config: dict[str, Any]) -> None:
    sync(config, [*BELOW_RECORDS, DELETED])
    assert requests_like(harvest, "/[0-9]+$") == 0


@pytest.mark.parametrize("stream", BELOW_RECORDS)
def test_a_passing_404_below_a_record_that_is_there_costs_no_row(
    stream: str, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    parent = a_parent(harvest, stream)
    path = BELOW_RECORDS[stream].format(parent)
    harvest.faults.add(path, status=404)
    result = sync(config, [stream])
    assert result.statuses == {stream: "COMPLETE"}
    assert rows_of(stream, result) == rows_at_harvest(harvest, stream)
    assert [requests_like(harvest, path), requests_like(harvest, f"/{parent}$")] == [2, 1]
    assert "404" not in caplog.text


@pytest.mark.parametrize("stream", BELOW_RECORDS)
def test_a_lasting_404_below_a_record_that_is_there_is_named_and_made_good_by_the_next_sync(
    stream: str, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    parent, key = a_parent(harvest, stream), KINDS[stream].parent_key
    harvest.faults.add(BELOW_RECORDS[stream].format(parent), status=404, times=None)
    whole = rows_at_harvest(harvest, stream)
    first = sync(config, [stream, DELETED])
    assert first.statuses == {stream: "COMPLETE", DELETED: "COMPLETE"}
    assert rows_of(stream, first) == {id_: row for id_, row in whole.items() if row[key] != parent}
    harvest.clock.advance(days=1)
    second = sync(config, [stream, DELETED], first.state)
    assert first.records(DELETED) == second.records(DELETED) == []
    told = [record for record in caplog.records if f"/{parent}, which is still there" in record.getMessage()]
    assert [record.levelname for record in told] == ["WARNING", "WARNING"]
    harvest.faults.clear()
    harvest.clock.advance(minutes=10)
    third = sync(config, [stream, DELETED], second.state)
    assert rows_of(stream, first, second, third) == whole
    assert third.records(DELETED) == []


@pytest.mark.parametrize("stream", CHILDREN)
def test_what_was_made_good_is_not_visited_again(stream: str, harvest: Harvest, config: dict[str, Any]) -> None:
    path = BELOW_RECORDS[stream].format(a_parent(harvest, stream))
    harvest.faults.add(path, status=404, times=2)
    first = sync(config, [stream])
    assert first.states[stream]["unread"] == [a_parent(harvest, stream)]
    for visits in (1, 0):
        harvest.clock.advance(minutes=10)
        harvest.requests.clear()
        first = sync(config, [stream], first.state)
        assert requests_like(harvest, path) == visits
        assert "unread" not in first.states[stream]


def test_a_404_below_a_record_where_nothing_was_to_be_seen_before_is_remembered_too(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    """In a sync that visits only what changed, of which the next whole visit would be a week away."""
    state = sync(config, ["invoice_messages"]).state
    harvest.clock.advance(days=1)
    state = sync(config, ["invoice_messages"], state).state
    invoice = next(row["id"] for row in harvest.listed("invoices") if row["state"] == "paid")
    harvest.clock.advance(minutes=10)
    message = harvest.add("invoice_messages", invoice_id=invoice, subject="Unseen")
    harvest.update("invoices", invoice, notes="changed")
    harvest.faults.add(f"/{invoice}/messages$", status=404, times=2)
    missed = sync(config, ["invoice_messages"], state)
    assert message not in {row["id"] for row in missed.records("invoice_messages")}
    harvest.clock.advance(hours=2)
    found = sync(config, ["invoice_messages"], missed.state)
    assert message in {row["id"] for row in found.records("invoice_messages")}


def test_a_record_that_is_gone_is_asked_for_once_and_no_more(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    invoice = a_parent(harvest, "invoice_messages")

    def delete(request: Any) -> None:
        if request.path.endswith(f"/{invoice}/messages"):
            harvest.before_page = None
            harvest.delete("invoices", invoice)

    harvest.before_page = delete
    result = sync(config, ["invoice_messages"])
    assert result.statuses == {"invoice_messages": "COMPLETE"}
    assert rows_of("invoice_messages", result) == rows_at_harvest(harvest, "invoice_messages")
    assert "unread" not in result.states["invoice_messages"]
    assert [requests_like(harvest, f"/{invoice}/messages$"), requests_like(harvest, f"/{invoice}$")] == [1, 1]
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_a_record_that_cannot_be_asked_for_is_not_taken_for_deleted(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    invoice = a_parent(harvest, "invoice_messages")
    harvest.faults.add(f"/{invoice}/messages$", status=404, times=None)
    harvest.faults.add(f"/{invoice}$", status=503, times=None)
    first = sync(config, ["invoice_messages"])
    assert first.statuses == {"invoice_messages": "INCOMPLETE"}
    harvest.faults.clear()
    second = sync(config, ["invoice_messages"], first.state)
    assert rows_of("invoice_messages", first, second) == rows_at_harvest(harvest, "invoice_messages")


def test_where_no_list_below_records_is_found_the_stream_is_not_complete(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("source_harvest.children.MOST_UNREAD", 5)
    harvest.faults.add("/messages$", status=404, times=None)
    first = sync(config, ["invoice_messages", "tasks", DELETED])
    assert first.statuses == {"invoice_messages": "INCOMPLETE", "tasks": "COMPLETE", DELETED: "COMPLETE"}
    assert first.errors["invoice_messages"][0] == "transient_error"
    assert "more than 5 invoices" in first.errors["invoice_messages"][1]
    harvest.faults.clear()
    second = sync(config, ["invoice_messages", "tasks", DELETED], first.state)
    assert rows_of("invoice_messages", second) == rows_at_harvest(harvest, "invoice_messages")
    assert first.records(DELETED) == second.records(DELETED) == []


def test_a_state_whose_parents_are_none_is_one_sentence(harvest: Harvest, config: dict[str, Any]) -> None:
    state = sync(config, ["invoice_messages"]).states["invoice_messages"]
    for broken in ("12", {"1": 2}, [None], [1.5], 3):
        result = sync(config, ["invoice_messages"], state_of("invoice_messages", {**state, "unread": broken}))
        assert str(result.error and result.error.message).startswith(
            'The state of the stream "invoice_messages" cannot'
        )
