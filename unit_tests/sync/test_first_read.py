"""The first read of a large list: in spans of days, each a checkpoint, and whole in the end."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from emulator import Harvest
from testing.accounts import requests_to, to_now
from testing.comparisons import assert_whole
from testing.in_process import Sync, kills, state_of, sync
from testing.streams import TIME_STREAMS


@pytest.mark.slow
@pytest.mark.parametrize("cap", [1, 3, 10])
@pytest.mark.parametrize("num_workers", [1, 8])
def test_a_long_list_is_read_in_spans_that_together_are_the_list(
    cap: int, num_workers: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap = cap
    result = sync({**config, "num_workers": num_workers}, TIME_STREAMS)
    assert_whole(harvest, result)
    assert result.counts["time_entries"] == len(harvest.listed("time_entries"))
    spans = {(query.get("from"), query.get("to")) for query in requests_to(harvest, "/v2/time_entries")}
    assert len(spans) > 2
    assert set(result.states["time_entries"]) == {"updated_at", "account"}


def test_a_short_list_is_asked_for_as_it_is(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 50
    sync(config, TIME_STREAMS)
    assert len(requests_to(harvest, "/v2/time_entries")) == 3
    assert all("from" not in query for query in requests_to(harvest, "/v2/time_entries"))


@pytest.mark.slow
def test_cutting_costs_few_requests_more_than_there_are_pages(harvest: Harvest, config: dict[str, Any]) -> None:
    """A busy month in ten quiet years, and ten quiet years without one."""
    slot = next(row for row in harvest.listed("user_assignments") if row["is_active"])
    where = {"project_id": slot["project"]["id"], "user_id": slot["user"]["id"], "hours": 1.0}
    for n in range(60):
        harvest.add("time_entries", spent_date=f"{date(2016, 1, 4) + timedelta(days=60 * n)}", **where)
    for n in range(3000):
        harvest.add("time_entries", spent_date=f"{date(2020, 6, 1) + timedelta(days=n % 28)}", **where)
    harvest.clock.advance(hours=1)
    harvest.page_size_cap = 150
    harvest.requests.clear()
    result = sync(config, TIME_STREAMS)
    assert_whole(harvest, result)
    pages = -(-len(harvest.listed("time_entries")) // 150)
    assert len(requests_to(harvest, "/v2/time_entries")) <= 1.4 * pages


@pytest.mark.slow
def test_a_killed_first_read_goes_on_and_asks_for_no_finished_day_again(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 5
    whole = sync(config, TIME_STREAMS)
    killed_syncs = list(kills(whole, TIME_STREAMS[-1]))
    assert len(killed_syncs) > 3
    for killed in killed_syncs[:-1]:
        harvest.requests.clear()
        harvest.clock.advance(minutes=10)
        resumed = sync(config, TIME_STREAMS, killed.state)
        assert_whole(harvest, killed, resumed)
        unfinished = killed.states["time_entries"]["unfinished"]
        asked = requests_to(harvest, "/v2/time_entries")
        for first, last in unfinished["spans"]:
            for query in asked:
                if query.keys().isdisjoint({"updated_since", "is_running"}):
                    assert query.get("to", "9999") < (first or "0000") or query.get("from", "0000") > (last or "9999")
        assert [query for query in asked if "updated_since" in query]
        assert resumed.states["time_entries"] == {"updated_at": unfinished["began"], "account": config["account_id"]}


def test_days_that_are_read_anew_are_not_taken_for_those_of_an_earlier_attempt(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    """Beside a stream that needs the whole list, the first attempt's days are read again, as of a later moment."""
    harvest.page_size_cap = 1
    both = ["invoices", "invoice_payments"]
    whole = sync(config, both)
    attempts = (Sync(whole.messages[: index + 1]) for index, message in enumerate(whole.messages) if message.state)
    *_, first = (attempt for attempt in attempts if "unfinished" in attempt.states.get("invoices", {}))
    spans = first.states["invoices"]["unfinished"]["spans"]
    changed = next(
        row
        for row in reversed(harvest.listed("invoices"))
        if any((start or "0") <= row["issue_date"] <= (end or "9") for start, end in spans)
    )
    harvest.clock.advance(hours=1)
    harvest.update("invoices", changed["id"], subject="Changed between the attempts")
    harvest.clock.advance(hours=1)
    seen = 0

    def fail(request: Any) -> None:
        nonlocal seen
        seen += request.path.endswith("/invoices")
        if seen == 4:
            seen += 1000
            harvest.faults.add(path="/invoices$", status=403)

    harvest.before_page = fail
    second = sync({**config, "num_workers": 1}, both, first.state)
    harvest.before_page = None
    third = sync(config, ["invoices"], second.state or first.state)
    assert_whole(harvest, first, second, third, names=["invoices"])


@pytest.mark.slow
def test_what_changed_since_the_first_attempt_is_caught_up_with(harvest: Harvest, config: dict[str, Any]) -> None:
    """Among it an entry that moved from a day not yet read to one that had been."""
    harvest.page_size_cap = 5
    killed = next(iter(kills(sync(config, TIME_STREAMS), TIME_STREAMS[-1])))
    newest, *_, oldest = harvest.listed("time_entries")
    harvest.clock.advance(hours=1)
    harvest.update("time_entries", oldest["id"], spent_date=newest["spent_date"], hours=7.75)
    resumed = sync(config, TIME_STREAMS, killed.state)
    assert_whole(harvest, killed, resumed)


def test_an_entry_that_moves_to_days_already_read_is_not_lost(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    newest, *_, oldest = harvest.listed("time_entries")
    seen = 0

    def move(request: Any) -> None:
        nonlocal seen
        seen += request.path.endswith("/time_entries")
        if seen == 4:
            harvest.clock.advance(seconds=1)
            harvest.update("time_entries", oldest["id"], spent_date=newest["spent_date"])

    harvest.before_page = move
    result = sync({**config, "num_workers": 1}, TIME_STREAMS)
    assert_whole(harvest, result)


def test_a_list_that_is_not_newest_first_is_read_page_by_page(harvest: Harvest, config: dict[str, Any]) -> None:
    """The order of Harvest's lists was observed, and is documented nowhere."""
    rows = sorted(harvest.listed("time_entries"), key=lambda row: row["updated_at"] + str(row["id"])[::-1])
    pages = [rows[n::10] for n in range(10)]
    for n, page in enumerate(pages, start=1):
        after = f"{config['api_url']}/time_entries?page={n + 1}" if n < 10 else None
        body = {"time_entries": page, "total_entries": len(rows), "links": {"next": after}}
        harvest.faults.add(path="/time_entries$", page=n if n > 1 else None, status=200, body=json.dumps(body))
    result = sync(config, ["time_entries"])
    assert len(result.records("time_entries")) == len(rows)
    assert all("from" not in query for query in requests_to(harvest, "/v2/time_entries"))


def test_a_span_that_fails_fails_its_streams_and_what_was_finished_stays(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 5
    seen = 0

    def fail(request: Any) -> None:
        nonlocal seen
        seen += request.path.endswith("/time_entries")
        if seen == 6:
            harvest.faults.add(path="/time_entries$", status=403)

    harvest.before_page = fail
    failed = sync(config, [*TIME_STREAMS, "clients"])
    assert set(failed.errors) == set(TIME_STREAMS)
    assert failed.statuses == {**dict.fromkeys(TIME_STREAMS, "INCOMPLETE"), "clients": "COMPLETE"}
    assert "unfinished" in failed.states["time_entries"]
    harvest.before_page = None
    assert_whole(harvest, failed, sync(config, TIME_STREAMS, failed.state))


@pytest.mark.parametrize("name", ["clients", "time_entries"])
@pytest.mark.parametrize("change", ["delete", "add"])
def test_rows_that_come_or_go_while_a_list_is_paged_hide_no_others(
    name: str, change: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    """On both of Harvest's ways of paging; a row that went leaves a gap through which another slips."""
    for n in range(8):
        harvest.add("clients", name=f"Client {n}")
    harvest.page_size_cap = 4 if name == "clients" else 40
    newest = harvest.listed(name)[0]
    seen = 0

    def meddle(request: Any) -> None:
        nonlocal seen
        seen += request.path.endswith(f"/{name}")
        if seen == 2:
            seen += 1000
            if change == "delete":
                harvest.delete(name, newest["id"])
            elif name == "clients":
                harvest.add("clients", name="In between")
            else:
                harvest.add(name, project_id=newest["project"]["id"], user_id=newest["user"]["id"], hours=1.0)

    harvest.before_page = meddle
    result = sync(config, [name])
    held = {row["id"] for row in result.records(name)}
    assert held >= {row["id"] for row in harvest.listed(name)}


def test_a_row_that_comes_does_not_stand_in_for_one_that_slips_past(harvest: Harvest, config: dict[str, Any]) -> None:
    """The first page's count is right, the last page's too, and as many entries were found."""
    harvest.page_size_cap = 30
    entries = harvest.listed("time_entries")
    where = {key: entries[0][key]["id"] for key in ("project", "user")}
    seen = 0

    def meddle(request: Any) -> None:
        nonlocal seen
        seen += request.path.endswith("/time_entries")
        if seen == 2:
            seen += 1000
            harvest.clock.advance(seconds=1)
            harvest.delete("time_entries", entries[5]["id"])
            harvest.add(
                "time_entries",
                spent_date=entries[-1]["spent_date"],
                project_id=where["project"],
                user_id=where["user"],
                hours=1.0,
            )

    harvest.before_page = meddle
    result = sync({**config, "num_workers": 1}, ["time_entries"])
    held = {row["id"] for row in result.records("time_entries")}
    assert held >= {row["id"] for row in harvest.listed("time_entries")}


def test_what_belongs_to_an_invoice_that_moves_is_not_lost(harvest: Harvest, config: dict[str, Any]) -> None:
    """One moves to days already read and one to days that are not, so that as many are found as were announced."""
    harvest.page_size_cap = 1
    newest, *_, oldest = harvest.listed("invoices")
    seen = 0

    def swap(request: Any) -> None:
        nonlocal seen
        seen += request.path.endswith("/invoices")
        if seen == 4:
            seen += 1000
            harvest.clock.advance(seconds=1)
            harvest.update("invoices", oldest["id"], issue_date=newest["issue_date"])
            harvest.update("invoices", newest["id"], issue_date=oldest["issue_date"])

    harvest.before_page = swap
    names = ["invoices", "invoice_messages"]
    first = sync({**config, "num_workers": 1}, names)
    assert_whole(harvest, first, names=names)


def test_what_cannot_be_counted_right_is_said(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    body = {"clients": harvest.listed("clients"), "total_entries": 99, "links": {"next": None}}
    harvest.faults.add(path="/clients$", status=200, body=json.dumps(body), times=None)
    result = sync(config, ["clients"])
    assert result.statuses == {"clients": "COMPLETE"}
    count = len(harvest.listed("clients"))
    assert f"clients: {count} entries were found, the first page announced 99 and the last 99" in caplog.text
    assert len(harvest.requests) == 2


def test_the_state_of_an_unfinished_read_is_small(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 2
    result = sync(config, TIME_STREAMS)
    sizes = [len(json.dumps(kill.states["time_entries"])) for kill in kills(result, TIME_STREAMS[-1])]
    assert max(sizes) < 1500
    assert len(sizes) > 10


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


def test_an_invoice_without_a_day_is_read(harvest: Harvest, config: dict[str, Any]) -> None:
    row = {**harvest.listed("invoices")[0], "issue_date": None}
    harvest.faults.add(
        path="/invoices$", status=200, body=json.dumps({"invoices": [row], "total_entries": 1, "links": {"next": None}})
    )
    result = sync(config, ["invoices"])
    assert result.errors == {}
