"""Paid time off: lists of which little is known are read to a certain end, or end incomplete and say why."""

import json
import logging
from datetime import datetime, timezone
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.source import SourceHarvest
from testing.accounts import move_to, requests_to
from testing.comparisons import held
from testing.deletion_syncs import Story
from testing.expected_tables import identity, tables
from testing.in_process import Sync, sync
from testing.streams import DELETED, STREAM_NAMES

PTO = [name for name in STREAM_NAMES if name.startswith("pto_")]


def answer(harvest: Harvest, path: str, times: int | None = None, **body: Any) -> None:
    """Harvest answers requests for a path with this object."""
    harvest.faults.add(path=f"{path}$", status=200, body=json.dumps(body), times=times)


def error_of(result: Sync, name: str) -> str:
    """The message of a stream that ended incomplete."""
    assert result.statuses[name] == "INCOMPLETE"
    return result.errors[name][1]


def by_key(balances: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {identity("pto_balances", row): row for row in balances}


@pytest.mark.parametrize("envelope", [{"next_page": None}, {"links": {"next": None}}], ids=["number", "links"])
@pytest.mark.parametrize("more", [-1, 1])
def test_a_list_that_has_other_than_its_total_is_incomplete(
    more: int, envelope: dict[str, Any], harvest: Harvest, config: dict[str, Any]
) -> None:
    rows = harvest.listed("pto_types")
    answer(harvest, "/pto/types", pto_types=rows, total_entries=len(rows) + more, **envelope)
    message = error_of(sync(config, ["pto_types"]), "pto_types")
    assert f"{len(rows)} entries were found" in message
    assert len(requests_to(harvest, "/v2/pto/types")) == 2  # the second time it is the same


@pytest.mark.parametrize("links", [{"links": {"next": None}}, {"links": None}, {"links": {}}, {}], ids=str)
def test_a_next_page_is_read_though_only_its_number_is_named(
    links: dict[str, Any], harvest: Harvest, config: dict[str, Any]
) -> None:
    first, *others = rows = harvest.listed("pto_types")
    answer(harvest, "/pto/types", 1, pto_types=[first], next_page=2, total_entries=len(rows), **links)
    answer(harvest, "/pto/types", pto_types=others, next_page=None, total_entries=len(rows), **links)
    result = sync(config, ["pto_types"])
    assert result.statuses == {"pto_types": "COMPLETE"}
    assert [row["id"] for row in result.records("pto_types")] == [row["id"] for row in rows]
    assert [query.get("page") for query in requests_to(harvest, "/v2/pto/types")] == [None, "2"]


def test_a_list_without_links_may_shrink_while_it_is_read(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 10
    gone: list[int] = []

    def delete_one(request: Any) -> None:
        if request.query.get("page") == "2" and not gone:
            gone.append(harvest.listed("pto_requests")[0]["id"])
            harvest.delete("pto_requests", gone[0])

    harvest.before_page = delete_one
    result = sync(config, ["pto_requests"])
    left = {row["id"] for row in harvest.listed("pto_requests")}
    assert {row["id"] for row in result.records("pto_requests")} - set(gone) == left
    assert (result.errors, len(gone)) == ({}, 1)


@pytest.mark.parametrize(
    "envelope",
    [{}, {"next_page": None}, {"next_page": "2", "total_entries": 4}, {"links": None}, {"links": {}}],
    ids=["none", "no total", "a number as text", "links null", "no next"],
)
def test_a_list_whose_end_cannot_be_told_is_an_error(
    envelope: dict[str, Any], harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    answer(harvest, "/pto/types", pto_types=harvest.listed("pto_types"), **envelope)
    assert "Harvest's answer for pto/types is not as documented" in error_of(sync(config, ["pto_types"]), "pto_types")
    assert len(naps) == 5


@pytest.mark.parametrize("key", ["pto_assignments", "assignments"])
@pytest.mark.parametrize(
    "envelope", [{}, {"next_page": None}, {"links": {"next": None}}], ids=["bare", "number", "links"]
)
def test_assignments_come_in_any_envelope_under_any_key(
    key: str, envelope: dict[str, Any], harvest: Harvest, config: dict[str, Any]
) -> None:
    expected = tables(harvest)["pto_assignments"]
    plain = [{name: value for name, value in row.items() if not name.endswith("_id")} for row in expected]
    total = {"total_entries": len(plain)} if envelope else {}
    answer(harvest, "/pto/assignments", **{key: plain, **envelope, **total})
    assert sync(config, ["pto_assignments"]).records("pto_assignments") == expected


@pytest.mark.parametrize(("rows", "key"), [(100, "pto_assignments"), (0, "surprise")])
def test_assignments_that_may_not_be_whole_are_an_error(
    rows: int, key: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    answer(harvest, "/pto/assignments", **{key: [{"user": {"id": id_, "name": ""}} for id_ in range(rows)]})
    assert "the end of the list cannot be told" in error_of(sync(config, ["pto_assignments"]), "pto_assignments")
    assert len(naps) == 5


def test_ids_come_into_all_tables_also_where_harvest_sends_them_flat(harvest: Harvest, config: dict[str, Any]) -> None:
    expected = sync(config, ["pto_requests", "pto_request_days"])
    names = ("user", "pto_type", "reviewer")
    rows = [dict(row) for row in harvest.listed("pto_requests")]
    for row in rows:
        row.update({f"{name}_id": (row.pop(name) or {}).get("id") for name in names})
    answer(harvest, "/pto/requests", pto_requests=rows, total_entries=len(rows), next_page=None)
    result = sync(config, ["pto_requests", "pto_request_days"])
    assert result.records("pto_request_days") == expected.records("pto_request_days") != []
    nested = [{**row, **dict.fromkeys(names)} for row in expected.records("pto_requests")]
    assert [{**row, **dict.fromkeys(names)} for row in result.records("pto_requests")] == nested


def test_a_calendar_that_holds_fewer_holidays_than_it_counts_is_incomplete(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    story = Story(config)
    story.sync(["pto_holidays", DELETED])
    harvest.clock.advance(days=1)
    for calendar in harvest.listed("pto_holiday_calendars"):
        harvest.update("pto_holiday_calendars", calendar["id"], entries=calendar["entries"][1:])
        harvest.update("pto_holiday_calendars", calendar["id"], entries_count=calendar["entries_count"])
    result = story.sync(["pto_holidays", DELETED])
    assert "it has 20 entries and holds only 19" in error_of(result, "pto_holidays")
    assert story.verdicts == {}


def test_allocations_are_read_from_the_year_of_the_first_request_on(harvest: Harvest, config: dict[str, Any]) -> None:
    def years(**more: Any) -> list[str]:
        harvest.requests.clear()
        sync({**config, **more}, ["pto_allocations"])
        return sorted(query["year"] for query in requests_to(harvest, "/v2/pto/allocations"))

    assert years() == ["2024", "2025", "2026", "2027"]
    assert years(replication_start_date="2026-01-31") == ["2026", "2027"]
    harvest.add("pto_requests", start_date="0017-02-03", end_date="0017-02-03")
    assert years() == [str(year) for year in range(2016, 2028)]
    for row in harvest.listed("pto_requests"):
        harvest.delete("pto_requests", row["id"])
    assert years() == ["2026", "2027"]


def test_allocations_since_a_start_date_need_no_old_requests(harvest: Harvest, config: dict[str, Any]) -> None:
    config, names = {**config, "replication_start_date": "2024-01-01"}, ["pto_requests", "pto_allocations"]
    harvest.page_size_cap = 5
    first = sync(config, names)
    harvest.requests.clear()
    harvest.clock.advance(days=1)
    second = sync(config, names, first.state)
    assert len(requests_to(harvest, "/v2/pto/requests")) == 1
    assert held("pto_allocations", second) == held("pto_allocations", first)


def test_check_asks_for_a_year_as_a_sync_does(harvest: Harvest, config: dict[str, Any]) -> None:
    SourceHarvest().check(logging.getLogger("airbyte"), config)
    year = str(datetime.now(timezone.utc).year)
    [allocations], [balances] = (requests_to(harvest, f"/v2/pto/{name}") for name in ("allocations", "balances"))
    assert (allocations, balances["year"]) == ({"year": year, "per_page": "1"}, year)


@pytest.mark.parametrize("has_year", [True, False])
def test_allocations_come_once_though_harvest_ignores_the_year(
    has_year: bool, harvest: Harvest, config: dict[str, Any]
) -> None:
    for row in [] if has_year else harvest.listed("pto_allocations"):
        harvest.update("pto_allocations", row["id"], year=None)
    expected = tables(harvest)["pto_allocations"]
    rows = harvest.listed("pto_allocations")
    answer(harvest, "/pto/allocations", pto_allocations=rows, next_page=None, total_entries=len(rows))
    found = sync(config, ["pto_allocations"]).records("pto_allocations")
    assert sorted(found, key=lambda row: row["id"]) == sorted(expected, key=lambda row: row["id"])


def test_what_is_deleted_of_paid_time_off_is_told(harvest: Harvest, config: dict[str, Any]) -> None:
    story = Story(config)
    story.sync([*PTO, DELETED])
    harvest.clock.advance(days=1)
    allocation, request = harvest.listed("pto_allocations")[3], harvest.listed("pto_requests")[-1]
    calendar = harvest.listed("pto_holiday_calendars")[-1]
    harvest.delete("pto_allocations", allocation["id"])
    harvest.delete("pto_requests", request["id"])
    harvest.update("pto_holiday_calendars", calendar["id"], entries=calendar["entries"][1:])
    story.sync([*PTO, DELETED])
    gone = {
        ("pto_allocations", allocation["id"]),
        ("pto_requests", request["id"]),
        ("pto_holidays", calendar["entries"][0]["id"]),
        *(("pto_request_days", day["id"]) for day in request["request_days"]),
    }
    assert story.verdicts == dict.fromkeys(gone, True)


def test_what_moves_to_another_request_or_year_is_deleted_only_when_it_is_gone(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    story, names = Story(config), ["pto_requests", "pto_request_days", "pto_allocations", DELETED]
    story.sync(names)
    harvest.clock.advance(days=1)
    before, after = [row for row in harvest.listed("pto_requests") if len(row["request_days"]) > 1][:2]
    day, *rest = before["request_days"]
    days, allocation = after["request_days"], harvest.listed("pto_allocations")[0]
    harvest.update("pto_requests", before["id"], request_days=rest)
    harvest.update("pto_requests", after["id"], request_days=[*days, day])
    harvest.update("pto_allocations", allocation["id"], year=allocation["year"] - 1)
    story.sync(names)
    assert story.verdicts == {}
    harvest.clock.advance(minutes=1)
    harvest.update("pto_requests", after["id"], request_days=days)
    harvest.delete("pto_allocations", allocation["id"])
    story.sync(names)
    gone = {("pto_request_days", day["id"]), ("pto_allocations", allocation["id"])}
    assert story.verdicts == dict.fromkeys(gone, True)


@pytest.mark.parametrize("status", [403, 404])
def test_balances_of_users_who_may_not_be_asked_about_are_left_out_with_one_line(
    status: int, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    harvest.faults.add(path="/pto/balances$", status=status, times=2)
    with caplog.at_level(logging.WARNING):
        result = sync(config, ["pto_balances"])
    users = {row["user_id"] for row in result.records("pto_balances")}
    assert (result.statuses, len(users)) == ({"pto_balances": "COMPLETE"}, len(harvest.listed("users")) - 2)
    lines = [line for line in caplog.messages if "refused" in line]
    assert [line.partition(" (the first")[0] for line in lines] == [
        "pto_balances: Harvest refused to answer for 2 of 6 users, who are left out"
    ]
    expected = [row for row in tables(harvest)["pto_balances"] if row["user_id"] in users]
    assert by_key(result.records("pto_balances")) == by_key(expected)


@pytest.mark.parametrize("status", [403, 404])
def test_balances_of_which_all_are_refused_are_incomplete(
    status: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.faults.add(path="/pto/balances$", status=status, times=None)
    result = sync(config, ["pto_balances"])
    kind, message = result.errors["pto_balances"]
    assert (kind, result.states) == ("config_error", {})
    assert message.startswith(f"Harvest answered {status} to the request for pto/balances of every user. ")
    assert "deselect the stream" in message or "is switched off in Harvest" in message


def test_a_balance_of_another_user_is_an_error(harvest: Harvest, config: dict[str, Any]) -> None:
    user = harvest.listed("users")[0]
    answer(harvest, "/pto/balances", user={"id": user["id"], "name": ""}, year=2026, balances=[])
    assert "it was to be about the user" in error_of(sync(config, ["pto_balances"]), "pto_balances")


@pytest.mark.parametrize("value", ["many", "nan", "1e999", "", True, [1], {"days": 1}], ids=str)
def test_a_number_that_is_none_fails_the_stream_and_no_other_row(
    value: Any, harvest: Harvest, config: dict[str, Any]
) -> None:
    balances = [{"pto_type": {"id": id_}, "year": 2026, "used_days": days} for id_, days in ((1, value), (2, "2.5"))]
    first = min(row["id"] for row in harvest.listed("users"))
    body = {
        "user": {"id": first, "name": ""},
        "year": 2026,
        "as_of": "2026-03-02",
        "balances": balances,
    }
    answer(harvest, "/pto/balances", times=1, **body)
    result = sync({**config, "num_workers": 1}, ["pto_balances"])
    assert "1 rows cannot become records" in error_of(result, "pto_balances")
    assert [row["used_days"] for row in result.records("pto_balances") if row["user_id"] == first] == [2.5]


@pytest.mark.parametrize("odd", [5, None, "x", [], {}], ids=str)
def test_a_balance_that_is_none_fails_the_stream_and_no_other_row(
    odd: Any, harvest: Harvest, config: dict[str, Any]
) -> None:
    first = min(row["id"] for row in harvest.listed("users"))
    items = [odd, {"pto_type": {"id": 2}, "used_days": "2.5"}]
    answer(harvest, "/pto/balances", times=1, user={"id": first, "name": ""}, year=2026, balances=items)
    result = sync({**config, "num_workers": 1}, ["pto_balances"])
    assert "1 rows cannot become records" in error_of(result, "pto_balances")
    assert [row["used_days"] for row in result.records("pto_balances") if row["user_id"] == first] == [2.5]


def test_syncs_of_several_days_make_a_history_of_balances(harvest: Harvest, config: dict[str, Any]) -> None:
    state, held, expected = None, {}, {}
    for day in ("2026-03-03", "2026-03-04", "2027-01-01"):
        move_to(harvest, day)
        for _ in range(2):  # the second sync of a day replaces the first
            harvest.add("pto_requests", start_date=day, end_date=day, status="approved")
            result = sync(config, ["pto_balances"], state)
            state = result.state
            held |= {identity("pto_balances", row): row for row in result.records("pto_balances")}
            expected |= {identity("pto_balances", row): row for row in tables(harvest)["pto_balances"]}
            harvest.clock.advance(hours=1)
    assert held == expected
    assert {(year, day) for _, _, year, day in held} == {
        (2026, "2026-03-03"),
        (2026, "2026-03-04"),
        (2027, "2027-01-01"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("is_shown", [True, False], ids=["the company says so", "the company is silent"])
@pytest.mark.parametrize("status", [403, 404])
def test_where_the_module_is_off_check_says_beforehand_what_a_sync_says(
    status: int, is_shown: bool, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    harvest.modules.discard("pto")
    harvest.module_off_status, harvest.shows_hidden_modules = status, is_shown
    with caplog.at_level(logging.WARNING):
        assert SourceHarvest().check(logging.getLogger("airbyte"), config).status.value == "SUCCEEDED"
    said = dict(
        line.removeprefix("The stream ").split(" cannot be read. ") for line in caplog.messages if "cannot be" in line
    )
    result = sync(config, [*PTO, "tasks"])
    assert set(said) == set(PTO) == {name for name, status in result.statuses.items() if status == "INCOMPLETE"}
    assert {kind for kind, _ in result.errors.values()} == {"config_error"}
    words = {True: "the module for paid time off is switched off in this account", False: "switched o"}[is_shown]
    for name in PTO:
        assert words in said[name]
        assert words in result.errors[name][1]


@pytest.mark.parametrize(("size", "is_on"), [("xs", True), ("m", False)])
def test_a_large_made_up_account_has_no_paid_time_off(size: str, is_on: bool) -> None:
    harvest = Harvest(size)
    assert ("pto" in harvest.modules, bool(harvest.listed("pto_requests"))) == (is_on, is_on)
