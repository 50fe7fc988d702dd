"""A state that the version before wrote in a sync that was killed is continued.

That version wrote each of these states in a sync of the emulator's small account, which was killed where the test says
so. No sync of today's version makes them.
"""

import re
from datetime import date, timedelta
from typing import Any

import pytest

from emulator import Harvest
from emulator.account.timestamps import stamp
from testing.accounts import an_entry, move_to, requests_to
from testing.comparisons import keyed
from testing.expected_reports import is_zero, periods, reports
from testing.expected_tables import identity
from testing.in_process import sync
from testing.report_syncs import asked
from testing.states_before import ACCOUNT, State, assert_succeeded, brought, given, table
from testing.streams import DELETED, TIME_STREAMS

MESSAGES = "invoice_messages"
START = "2026-01-15T00:00:00Z"


# First reads that were killed.

SPANS = [[None, "2026-02-17"], ["2026-02-20", "2026-02-20"], ["2026-02-28", None]]
BEGAN = "2026-03-02T10:00:00Z"


def is_in(spans: list[list[str | None]], day: str) -> bool:
    return any((first or "0") <= day <= (last or "9") for first, last in spans)


def assert_finished_days_are_not_asked_for(
    harvest: Harvest, path: str, spans: list[list[str | None]]
) -> list[dict[str, str]]:
    """Returns the queries that asked for the other days."""
    queries = [query for query in requests_to(harvest, path) if not {"updated_since", "is_running"} & query.keys()]
    for query in queries:
        for first, last in spans:
            assert query.get("to", "9") < (first or "0") or query.get("from", "0") > (last or "9")
    return queries


@pytest.mark.parametrize("counted", [{}, {"counted": True}])
def test_a_first_read_goes_on_with_the_days_that_are_missing(
    counted: State, harvest: Harvest, config: dict[str, Any]
) -> None:
    unfinished = {"began": BEGAN, "spans": SPANS, "entries": 121, "found": 52}
    states = given(
        time_entries={"unfinished": unfinished, **ACCOUNT, **counted},
        time_entry_external_reference={"unfinished": unfinished, **ACCOUNT},
    )
    days = {row["id"]: row["spent_date"] for row in harvest.listed("time_entries")}
    before = {name: table(harvest, name) for name in TIME_STREAMS}
    move_to(harvest, "2026-03-02T11:00:00")
    *_, oldest = harvest.listed("time_entries")
    running = {row["id"] for row in harvest.listed("time_entries") if row["is_running"]}
    harvest.update("time_entries", oldest["id"], notes="changed on a day that was finished")
    late = an_entry(harvest, "2026-02-20")
    harvest.clock.advance(hours=1)
    harvest.requests.clear()
    result = sync(config, TIME_STREAMS, states)
    assert_succeeded(result)
    finished = {id_ for id_, day in days.items() if is_in(SPANS, day)}
    assert len(finished) == 52
    for name, column in zip(TIME_STREAMS, ("id", "time_entry_id"), strict=True):
        held = {key: row for key, row in before[name].items() if row[column] in finished} | brought(result, name)
        assert held == table(harvest, name)
    others = days.keys() - finished
    assert {row["id"] for row in result.records("time_entries")} - running == {*others, oldest["id"], late} - running
    assert assert_finished_days_are_not_asked_for(harvest, "/v2/time_entries", SPANS)
    assert len(requests_to(harvest, "/v2/time_entries")) == 4
    assert result.states["time_entries"] == {"updated_at": BEGAN, **ACCOUNT}


def test_a_first_read_that_finds_too_few_entries_is_read_once_more(harvest: Harvest, config: dict[str, Any]) -> None:
    """Harvest had announced one entry more than all days hold."""
    unfinished = {"began": BEGAN, "spans": SPANS, "entries": 122, "found": 52}
    move_to(harvest, "2026-03-02T11:00:00")
    result = sync(config, ["time_entries"], given(time_entries={"unfinished": unfinished, **ACCOUNT}))
    assert_succeeded(result)
    assert brought(result, "time_entries") == table(harvest, "time_entries")


def test_a_first_read_of_embedded_records_goes_on(harvest: Harvest, config: dict[str, Any]) -> None:
    spans: list[list[str | None]] = [["2025-09-15", None]]
    state = {"unfinished": {"began": BEGAN, "spans": spans, "entries": 12, "found": 3}, **ACCOUNT}
    finished = {row["id"] for row in harvest.listed("invoices") if is_in(spans, row["issue_date"])}
    assert len(finished) == 3
    move_to(harvest, "2026-03-02T11:00:00")
    result = sync(config, ["invoice_line_items"], given(invoice_line_items=state))
    assert_succeeded(result)
    expected = {
        key: row for key, row in table(harvest, "invoice_line_items").items() if row["invoice_id"] not in finished
    }
    assert brought(result, "invoice_line_items") == expected
    assert assert_finished_days_are_not_asked_for(harvest, "/v2/invoices", spans)
    assert result.states["invoice_line_items"] == {"invoice_updated_at": BEGAN, **ACCOUNT}


def test_a_first_read_from_a_start_date_goes_on(harvest: Harvest, config: dict[str, Any]) -> None:
    spans: list[list[str | None]] = [["2026-02-28", None]]
    unfinished = {"began": BEGAN, "spans": spans, "entries": 91, "found": 1}
    state = {"unfinished": unfinished, "start": START, **ACCOUNT}
    move_to(harvest, "2026-03-02T11:00:00")
    result = sync({**config, "replication_start_date": "2026-01-15"}, ["time_entries"], given(time_entries=state))
    assert_succeeded(result)
    rows = [row for row in table(harvest, "time_entries").values() if row["updated_at"] >= START]
    assert brought(result, "time_entries") == {(row["id"],): row for row in rows if not is_in(spans, row["spent_date"])}
    assert result.states["time_entries"] == {"updated_at": BEGAN, "start": START, **ACCOUNT}


@pytest.mark.parametrize("name", ["clients", "time_entries", MESSAGES])
def test_a_stream_of_which_nothing_was_read_to_its_end_is_read(
    name: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    result = sync(config, [name, DELETED], given(**{name: {**ACCOUNT, "counted": True}, DELETED: ACCOUNT}))
    assert_succeeded(result)
    assert brought(result, name) == table(harvest, name)


# Visits that were killed. Each invoice has one message.


@pytest.fixture
def invoices(harvest: Harvest) -> list[int]:
    client = harvest.listed("clients")[0]["id"]
    for row in harvest.listed("invoices"):
        harvest.delete("invoices", row["id"])
    found = sorted(harvest.add("invoices", client_id=client) for _ in range(60))
    for invoice in found:
        harvest.add(MESSAGES, invoice_id=invoice, subject="One of many")
    harvest.clock.advance(minutes=10)
    assert (found[0], found[-1]) == (38442203, 38442262)
    return found


def visited(harvest: Harvest) -> set[int]:
    found = (re.search("/invoices/([0-9]+)/messages$", request.path) for request in harvest.requests)
    return {int(match[1]) for match in found if match}


VISITED = {
    "updated_at": "2026-03-02T09:10:00Z",
    "all_parents_read": "2026-03-02T09:10:00Z",
    "living_parents_read": "2026-03-02T09:10:00Z",
}
"""After the first complete read."""


def test_first_visits_go_on_where_they_were_and_with_those_that_failed(
    harvest: Harvest, config: dict[str, Any], invoices: list[int]
) -> None:
    unfinished = {"began": "2026-03-02T09:10:00Z", "up_to_parent": 38442243}
    state = {"unfinished": unfinished, "unread": [38442207], **ACCOUNT}
    before = {key: row for key, row in table(harvest, MESSAGES).items() if row["invoice_id"] <= 38442243}
    before = {key: row for key, row in before.items() if row["invoice_id"] != 38442207}
    harvest.clock.advance(hours=1)
    harvest.add(MESSAGES, invoice_id=invoices[0], subject="New")
    harvest.update("invoices", invoices[0], notes="changed")
    harvest.clock.advance(minutes=10)
    result = sync(config, [MESSAGES], given(invoice_messages=state))
    assert_succeeded(result)
    assert visited(harvest) == {invoices[0], 38442207, *(invoice for invoice in invoices if invoice > 38442243)}
    assert before | brought(result, MESSAGES) == table(harvest, MESSAGES)
    assert result.states[MESSAGES] == {**VISITED, "updated_at": stamp(harvest.clock.now()), **ACCOUNT}


def test_visits_that_were_killed_twice_go_on(harvest: Harvest, config: dict[str, Any], invoices: list[int]) -> None:
    """The second attempt began at 10:20 and visited what had changed since 9:10, up to the tenth."""
    attempts = [["2026-03-02T09:10:00Z", 38442243], ["2026-03-02T10:20:00Z", 38442212]]
    unfinished = {"began": "2026-03-02T09:10:00Z", "up_to_parent": 38442243, "attempts": attempts}
    harvest.clock.advance(hours=1)
    for invoice in invoices[:25]:
        harvest.add(MESSAGES, invoice_id=invoice, subject="New")
        harvest.update("invoices", invoice, notes="changed")
    harvest.clock.advance(minutes=20)
    before = {
        key: row
        for key, row in table(harvest, MESSAGES).items()
        if row["invoice_id"] <= 38442212 or (row["invoice_id"] <= 38442243 and row["subject"] != "New")
    }
    result = sync(config, [MESSAGES], given(invoice_messages={"unfinished": unfinished, **ACCOUNT}))
    assert_succeeded(result)
    assert visited(harvest) == {*invoices[10:25], *(invoice for invoice in invoices if invoice > 38442243)}
    assert before | brought(result, MESSAGES) == table(harvest, MESSAGES)
    assert result.states[MESSAGES] == {**VISITED, "updated_at": stamp(harvest.clock.now()), **ACCOUNT}


@pytest.mark.parametrize(("visit", "began"), [("living", "2026-03-03T09:20:00Z"), ("changed", "2026-03-02T09:50:00Z")])
def test_later_visits_go_on(
    visit: str, began: str, harvest: Harvest, config: dict[str, Any], invoices: list[int]
) -> None:
    unfinished = {"began": began, "up_to_parent": 38442232, "visit": visit}
    move_to(harvest, began.removesuffix("Z"))
    harvest.clock.advance(minutes=-10)
    for invoice in invoices:
        harvest.add(MESSAGES, invoice_id=invoice, subject="New")
        harvest.update("invoices", invoice, notes="changed")
    harvest.clock.advance(minutes=30)
    result = sync(config, [MESSAGES], given(invoice_messages={**VISITED, "unfinished": unfinished, **ACCOUNT}))
    assert_succeeded(result)
    assert visited(harvest) == {invoice for invoice in invoices if invoice > 38442232}
    new = {key: row for key, row in table(harvest, MESSAGES).items() if row["subject"] == "New"}
    assert brought(result, MESSAGES) == {key: row for key, row in new.items() if row["invoice_id"] > 38442232}
    living = {"living_parents_read": began} if visit == "living" else {}
    assert result.states[MESSAGES]["all_parents_read"] == VISITED["all_parents_read"]
    assert (
        result.states[MESSAGES].items()
        >= {**VISITED, "updated_at": result.states[MESSAGES]["updated_at"], **living}.items()
    )
    assert "unfinished" not in result.states[MESSAGES]


def test_the_parents_left_unread_are_visited_for_all_that_is_there(
    harvest: Harvest, config: dict[str, Any], invoices: list[int]
) -> None:
    harvest.clock.advance(minutes=10)
    result = sync(config, [MESSAGES], given(invoice_messages={**VISITED, "unread": [38442207], **ACCOUNT}))
    assert_succeeded(result)
    assert visited(harvest) == {38442207}
    assert [row["invoice_id"] for row in result.records(MESSAGES)] == [38442207]
    assert "unread" not in result.states[MESSAGES]


DELIVERED = {
    "ids": "eNqzMDQ2N7c0MtUxJBcCAJ7SDDQ=",
    "parents": "eNoztjAxMTIyMNYxJBcCAJsDDCQ=",
}
"""The messages of the first thirty invoices, which `deleted_records` did not know yet."""


@pytest.mark.slow
def test_what_is_delivered_by_killed_visits_is_known_if_it_is_deleted(
    harvest: Harvest, config: dict[str, Any], invoices: list[int]
) -> None:
    unfinished = {"began": "2026-03-02T09:10:00Z", "up_to_parent": 38442232}
    state = {"unfinished": unfinished, **ACCOUNT, "counted": True, "delivered": [DELIVERED]}
    gone = next(id_ for (id_,), row in table(harvest, MESSAGES).items() if row["invoice_id"] == invoices[3])
    harvest.delete(MESSAGES, gone)
    harvest.clock.advance(minutes=10)
    second = sync(config, [MESSAGES, DELETED], given(invoice_messages=state))
    assert_succeeded(second)
    assert visited(harvest) == {invoice for invoice in invoices if invoice > 38442232}
    assert "delivered" not in second.states[MESSAGES]
    harvest.clock.advance(days=8)
    third = sync(config, [MESSAGES, DELETED], second.state)
    assert [(row["stream"], row["record_id"]) for row in third.records(DELETED)] == [(MESSAGES, gone)]


@pytest.mark.slow
def test_what_was_delivered_before_the_first_visits_were_kept_is_known_if_it_is_deleted(
    harvest: Harvest, config: dict[str, Any], invoices: list[int]
) -> None:
    delivered = {"ids": "eNqzMDQ2N7c0MgUAB4QBqw==", "parents": "eNoztjAxMTIyMAYAB1UBmw=="}
    state = {**ACCOUNT, "counted": True, "delivered": [delivered]}
    gone = next(id_ for (id_,), row in table(harvest, MESSAGES).items() if row["invoice_id"] == invoices[0])
    harvest.delete(MESSAGES, gone)
    harvest.clock.advance(minutes=10)
    result = sync(config, [MESSAGES, DELETED], given(invoice_messages=state))
    assert_succeeded(result)
    assert brought(result, MESSAGES) == table(harvest, MESSAGES)
    assert [(row["stream"], row["record_id"]) for row in result.records(DELETED)] == [(MESSAGES, gone)]


# Reports.


def test_a_report_goes_on_with_the_periods_that_are_missing(harvest: Harvest, config: dict[str, Any]) -> None:
    spans = [["2025-02-01", "2025-07-31"]]
    subjects = {
        "EUR": "eNqzNDQwMTI0MjA3tjQxM9GxBAILQ0sdIwsdSyMdM0MAZL0GRw==",
        "GBP": "eNqzNDQwMTI0MTA3tjQxMwEAFSsC1w==",
    }
    state = {"unfinished": {"began": BEGAN, "spans": spans}, **ACCOUNT, "period": "month", "subjects": subjects}
    before = [row for row in reports(harvest)["time_clients"] if "2025-02-01" <= row["period_start"] <= "2025-07-31"]
    assert before
    move_to(harvest, "2026-03-02T11:00:00")
    result = sync({**config, "replication_start_date": "2025-01-01"}, ["time_clients"], given(time_clients=state))
    assert_succeeded(result)
    read = asked(harvest)
    assert read == [period for period in periods(date(2025, 1, 1), date(2026, 3, 2), "month") if period in read]
    assert not [first for first, _ in read if date(2025, 2, 1) <= first <= date(2025, 7, 31)]
    expected = reports(harvest, since=date(2025, 1, 1))["time_clients"]
    assert keyed("time_clients", [*before, *result.records("time_clients")]) == keyed("time_clients", expected)
    assert result.states["time_clients"]["period_end"] == BEGAN


def test_a_subject_that_was_delivered_before_the_first_period_was_finished_becomes_zeros(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    """The killed sync delivered one row, whose entries were deleted since."""
    state = {**ACCOUNT, "period": "month", "subjects": {"EUR": "eNqzNDQwMTI0MjA3trA0MQMAFSQC2Q=="}}
    [delivered] = [row for row in reports(harvest)["time_clients"] if row["period_start"] == "2024-03-01"]
    for row in harvest.listed("time_entries"):
        if row["spent_date"].startswith("2024-03"):
            harvest.delete("time_entries", row["id"])
    result = sync(config, ["time_clients"], given(time_clients=state))
    assert_succeeded(result)
    zeros = [row for row in result.records("time_clients") if is_zero(row)]
    assert identity("time_clients", delivered) in [identity("time_clients", row) for row in zeros]


@pytest.mark.parametrize(
    ("period", "state"),
    [
        (
            "week",
            {
                "period": "week from Monday",
                "gaps": [["2024-01-01", "2024-03-10"]],
                "subjects": {
                    "EUR": "eNodx8EBACAIw8CF+igFxe6/mGjyOgdLIXZ6OaGDEnr2Kzaag/hKXtj8CUk=",
                    "GBP": "eNqzNDQwMTI0MTA3tjS1NNYx1zEDEgAugwQ1",
                },
            },
        ),
        (
            "month",
            {
                "period": "month",
                "gaps": [["2024-01-01", "2024-02-29"]],
                "subjects": {
                    "EUR": "eNqzNDQwMTI0MjA3tjS1MNMxNgQhIwsdSxAwNNAxM9IxBLONLQC9iAiz",
                    "GBP": "eNqzNDQwMTI0MTA3tjS1MNMxMwIAHuoDcA==",
                },
            },
        ),
    ],
)
def test_a_report_reads_the_gap_that_was_filled_and_the_periods_that_may_change(
    period: str, state: State, harvest: Harvest, config: dict[str, Any]
) -> None:
    state = {"period_end": "2026-03-02T09:00:00Z", **ACCOUNT, "from": "2024-01-01", "include_fixed_fee": True, **state}
    config |= {"replication_start_date": "2024-01-01", "include_fixed_fee": True, "report_period": period}
    an_entry(harvest, "2024-02-07")
    harvest.clock.advance(hours=1)
    result = sync(config, ["time_clients"], given(time_clients=state))
    assert_succeeded(result)
    today = date(2026, 3, 2)
    changeable = periods(today - timedelta(days=90), today, period)
    [[_, end]] = state["gaps"]
    filled = periods(date(2024, 2, 7), date.fromisoformat(end), period)
    assert asked(harvest) == [*filled, *changeable]
    assert result.states["time_clients"]["from"] == "2024-01-01"
