"""Lists below records: each record is visited until what is below it is known, and none is visited in vain."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteStateMessage, SyncMode

from emulator import Harvest
from source_harvest.source import SourceHarvest
from source_harvest.stream_types.per_parent import PerParentStream
from source_harvest.streams import STREAMS
from testing.expected_tables import identity, tables
from testing.in_process import LOGGER, Sync, catalog, state_of, sync
from testing.streams import DELETED, stream_name

BELOW_RECORDS = {
    "invoice_messages": "/invoices/{}/messages$",
    "invoice_payments": "/invoices/{}/payments$",
    "estimate_messages": "/estimates/{}/messages$",
    "billable_rates": "/users/{}/billable_rates$",
    "cost_rates": "/users/{}/cost_rates$",
    "teammates": "/users/{}/teammates$",
}
CHILDREN = [name for name in BELOW_RECORDS if name.endswith(("messages", "payments"))]


KINDS = {stream_name(kind): kind for kind in STREAMS if issubclass(kind, PerParentStream)}


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    monkeypatch.setattr("source_harvest.stream_types.per_parent.MOST_UNREAD", 5)
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


MESSAGES = ["invoice_messages"]
INVOICES = 88


@pytest.fixture
def invoices(harvest: Harvest) -> list[int]:
    """So many that a sync can be killed in the middle, each with a message."""
    client = harvest.listed("clients")[0]["id"]
    for row in harvest.listed("invoices"):
        harvest.delete("invoices", row["id"])
    found = [harvest.add("invoices", client_id=client) for _ in range(INVOICES)]
    write_to(harvest, found)
    return sorted(found)


def write_to(harvest: Harvest, invoices: list[int]) -> None:
    """Some while before the next sync, for which they would still count as changed."""
    for invoice in invoices:
        harvest.add("invoice_messages", invoice_id=invoice, subject="One of many")
    harvest.clock.advance(minutes=10)


def visited(harvest: Harvest, before: int = 0) -> list[int]:
    found = (re.search("/invoices/([0-9]+)/messages$", request.path) for request in harvest.requests[before:])
    return [int(match[1]) for match in found if match]


class Killed:
    """A sync that ends without notice at one of its visits: what it delivered, which visits it made, and its states."""

    def __init__(
        self, harvest: Harvest, config: dict[str, Any], state: list[AirbyteStateMessage] | None, visits: int
    ) -> None:
        self.result = Sync()
        before = len(harvest.requests)
        messages = SourceHarvest().read(LOGGER, dict(config), catalog(MESSAGES), state)
        for message in messages:
            self.result.messages.append(message)
            if len(visited(harvest, before)) >= visits:
                break
        self.visits = set(visited(harvest, before))
        messages.close()
        self.state = self.result.state[-1:] or state


def read_at_all(harvest: Harvest, config: dict[str, Any]) -> Any:
    return None


def changed(harvest: Harvest, config: dict[str, Any]) -> Any:
    state = sync(config, MESSAGES).state
    harvest.clock.advance(minutes=30)
    for row in harvest.listed("invoices"):
        harvest.update("invoices", row["id"], notes="changed")
    harvest.clock.advance(minutes=10)
    return state


def living(harvest: Harvest, config: dict[str, Any]) -> Any:
    state = sync(config, MESSAGES).state
    harvest.clock.advance(days=1)
    return state


def all_again(harvest: Harvest, config: dict[str, Any]) -> Any:
    state = sync(config, MESSAGES).state
    harvest.clock.advance(days=8)
    return state


DUE = [read_at_all, changed, living, all_again]


@pytest.mark.slow
@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize("state_before", DUE)
def test_a_killed_sync_repeats_few_visits_and_loses_no_row(
    state_before: Callable[[Harvest, dict[str, Any]], Any],
    hangs: bool,
    harvest: Harvest,
    config: dict[str, Any],
    invoices: list[int],
) -> None:
    """Also where the first visit hangs while the later ones are made."""
    state = state_before(harvest, config)
    before = {row["id"] for invoice in invoices for row in harvest.children("invoice_messages", invoice)}
    write_to(harvest, invoices)
    if hangs:
        harvest.faults.add(f"/{invoices[0]}/messages$", kind="hang")
    killed = Killed(harvest, config, state, visits=70)
    assert {invoices[0], *killed.visits} <= set(invoices)
    harvest.faults.clear()
    harvest.clock.advance(minutes=1)
    start = len(harvest.requests)
    rest = sync(config, MESSAGES, killed.state)
    again = set(visited(harvest, start))
    assert len(killed.visits & again) <= 20
    assert killed.visits | again == set(invoices)
    assert rest.statuses == {"invoice_messages": "COMPLETE"}
    delivered = {id_ for (id_,) in rows_of("invoice_messages", killed.result, rest)} | (before if state else set())
    assert delivered == {id_ for (id_,) in rows_at_harvest(harvest, "invoice_messages")}
    assert not {"unfinished", "unread"} & rest.states["invoice_messages"].keys()


@pytest.mark.slow
@pytest.mark.parametrize("state_before", DUE)
def test_a_sync_that_is_killed_again_and_again_repeats_few_visits_also_to_what_changed_in_between(
    state_before: Callable[[Harvest, dict[str, Any]], Any],
    harvest: Harvest,
    config: dict[str, Any],
    invoices: list[int],
) -> None:
    state = state_before(harvest, config)
    write_to(harvest, invoices)
    delivered, due, repeated = set[int](), set(invoices), 0
    for visits in (60, 40, 35, 1000):
        killed = Killed(harvest, config, state, visits)
        assert len(killed.visits - due) <= repeated
        state, due, repeated = killed.state, due - killed.visits, 20
        delivered |= {id_ for (id_,) in rows_of("invoice_messages", killed.result)}
        if visits < INVOICES:
            harvest.clock.advance(minutes=10)
            due |= set(invoices[:15])
            written = {harvest.add("invoice_messages", invoice_id=invoice, subject="New") for invoice in invoices[:15]}
            for invoice in invoices[:15]:
                harvest.update("invoices", invoice, notes=f"changed after {visits}")
    assert due == set()
    assert written <= delivered


def test_the_state_of_deleted_records_goes_out_no_more_often_than_before(
    harvest: Harvest, config: dict[str, Any], invoices: list[int]
) -> None:
    result = sync(config, [*MESSAGES, DELETED])
    names = [state.stream.stream_descriptor.name for state in result.state if state.stream]
    assert names.count(DELETED) <= 1 + INVOICES // 100 + 1
    assert names.count("invoice_messages") >= INVOICES // 10


def test_the_state_names_few_parents_whatever_hangs_or_fails(
    harvest: Harvest, config: dict[str, Any], invoices: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("source_harvest.stream_types.visits.MOST_OPEN", 3)
    for invoice in invoices[10:30:2]:
        harvest.faults.add(f"/{invoice}/messages$", status=422, times=None)
    failed = sync(config, MESSAGES)
    assert failed.statuses == {"invoice_messages": "INCOMPLETE"}
    states = [vars(state.stream.stream_state) for state in failed.state if state.stream]
    assert max(len(state.get("unread", [])) for state in states) == 3
    harvest.faults.clear()
    start = len(harvest.requests)
    rest = sync(config, MESSAGES, failed.state[-1:])
    assert set(visited(harvest, start)) == {*invoices[10:16:2], *invoices[16:]}
    assert rows_of("invoice_messages", failed, rest) == rows_at_harvest(harvest, "invoice_messages")


def test_a_full_refresh_leaves_no_visits_to_go_on_with(
    harvest: Harvest, config: dict[str, Any], invoices: list[int]
) -> None:
    result = sync(config, MESSAGES, mode=SyncMode.full_refresh)
    assert not {"unfinished", "unread"} & set(str(result.states).split("'"))


@pytest.mark.parametrize("unfinished", [{"visit": "none"}, {"attempts": 3}, {"attempts": [["2026-01-01", "?"]]}])
def test_a_state_whose_visits_are_none_is_one_sentence(
    unfinished: dict[str, Any], harvest: Harvest, config: dict[str, Any]
) -> None:
    state = {"unfinished": {"began": "2026-01-01T10:00:00Z", "up_to_parent": 3, **unfinished}}
    result = sync(config, MESSAGES, state_of("invoice_messages", state))
    assert str(result.error and result.error.message).startswith('The state of the stream "invoice_messages" cannot')


def test_a_state_of_the_version_before_goes_on_where_it_was(
    harvest: Harvest, config: dict[str, Any], invoices: list[int]
) -> None:
    began = f"{harvest.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    harvest.clock.advance(minutes=10)
    harvest.update("invoices", invoices[7], notes="changed")
    state = {"unfinished": {"began": began, "up_to_parent": invoices[49]}, "account": str(harvest.account_id)}
    sync(config, MESSAGES, state_of("invoice_messages", state))
    assert set(visited(harvest)) == {invoices[7], *invoices[50:]}
