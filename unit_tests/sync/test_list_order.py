"""The order of Harvest's lists is promised nowhere: a first read finds every row whatever it is, also after a kill."""

import random
from collections.abc import Callable
from datetime import timedelta
from operator import itemgetter
from typing import Any

import pytest

from emulator import Harvest
from emulator.account.timestamps import stamp
from emulator.server import lists
from source_harvest.api.delivered_rows import DeliveredRows
from testing.in_process import Sync, kills, sync
from testing.streams import TIME_STREAMS

Row = dict[str, Any]
Rearrange = Callable[[list[Row]], list[Row]]

DATES = {"time_entries": "spent_date", "expenses": "spent_date", "invoices": "issue_date", "estimates": "issue_date"}


def shuffled(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str(row["id"] * 7919)[::-1])


def moved_to_today(rows: list[Row]) -> list[Row]:
    """The last row of the list got the day of the first, and kept its place."""
    return [*rows[:-1], {**rows[-1], "spent_date": rows[0]["spent_date"]}] if rows else []


def newest_last(rows: list[Row]) -> list[Row]:
    return [*rows[1:], *rows[:1]]


def newest_in_the_middle(rows: list[Row]) -> list[Row]:
    middle = len(rows) // 2 or 1
    return [*rows[1:middle], *rows[:1], *rows[middle:]]


def without_day(*places: int) -> Rearrange:
    def rearrange(rows: list[Row]) -> list[Row]:
        nulls = {rows[place]["id"] for place in places}
        return [{**row, "spent_date": None} if row["id"] in nulls else row for row in rows]

    rearrange.__name__ = f"without_day{places}"
    return rearrange


ORDERS = [
    shuffled,
    moved_to_today,
    newest_last,
    newest_in_the_middle,
    without_day(1),
    without_day(-1),
    without_day(1, 60, -3),
]


def rearrange(harvest: Harvest, order: Rearrange) -> None:
    harvest.rearrange = lambda name, rows: order(rows) if name == "time_entries" else rows
    harvest.page_size_cap = 11


def held(*syncs: Sync) -> set[int]:
    return {row["id"] for result in syncs for row in result.records("time_entries")}


def listed(harvest: Harvest) -> set[int]:
    return {row["id"] for row in harvest.listed("time_entries")}


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 8])
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
def test_a_first_read_finds_every_row_whatever_the_order(
    order: Rearrange, num_workers: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    rearrange(harvest, order)
    result = sync({**config, "num_workers": num_workers}, TIME_STREAMS)
    assert result.statuses == dict.fromkeys(TIME_STREAMS, "COMPLETE")
    assert held(result) == listed(harvest)
    assert result.counts["time_entries"] == len(listed(harvest))


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
def test_a_killed_first_read_finds_every_row_whatever_the_order(
    order: Rearrange, harvest: Harvest, config: dict[str, Any]
) -> None:
    rearrange(harvest, order)
    whole = sync(config, TIME_STREAMS)
    killed = [*kills(whole, TIME_STREAMS[0]), *kills(whole, TIME_STREAMS[1])]
    for attempt in random.Random(0).sample(killed, min(6, len(killed))):
        harvest.clock.advance(minutes=10)
        resumed = sync(config, TIME_STREAMS, attempt.state)
        assert held(attempt, resumed) == listed(harvest)
        assert set(resumed.states["time_entries"]) == {"updated_at", "account"}


def test_a_list_that_is_not_filtered_by_days_is_not_cut_without_end(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_days(key: str, filters: str, params: Row, **rest: Any) -> Any:
        return condition_of(key, filters, {name: params[name] for name in params if name not in {"from", "to"}}, **rest)

    condition_of = lists.condition_of
    monkeypatch.setattr(lists, "condition_of", without_days)
    harvest.page_size_cap = 11
    result = sync(config, TIME_STREAMS)
    assert result.statuses == dict.fromkeys(TIME_STREAMS, "COMPLETE")
    assert held(result) == listed(harvest)
    assert result.counts["time_entries"] == len(listed(harvest))
    assert len(harvest.requests) < 20 * len(listed(harvest)) / harvest.page_size_cap


def test_a_row_that_came_meanwhile_does_not_stand_in_for_one_without_a_day(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    rearrange(harvest, without_day(-1))
    entry = harvest.listed("time_entries")[0]
    seen = 0

    def add(request: Any) -> None:
        nonlocal seen
        seen += request.path.endswith("/time_entries")
        if seen == 2:
            seen += 1000
            harvest.clock.advance(seconds=5)
            where = {key: entry[key]["id"] for key in ("project", "user")}
            harvest.add("time_entries", project_id=where["project"], user_id=where["user"], hours=1.0)

    harvest.before_page = add
    assert held(sync({**config, "num_workers": 1}, TIME_STREAMS)) == listed(harvest)


def test_an_unfinished_state_without_counts_is_read_whole_once_at_its_end(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    """As versions of before left it, which trusted the order."""
    rearrange(harvest, newest_last)
    killed = next(kills(sync(config, TIME_STREAMS), TIME_STREAMS[1]))
    for message in killed.state:
        assert message.stream is not None
        unfinished = vars(message.stream.stream_state)["unfinished"]
        del unfinished["entries"], unfinished["found"]
    harvest.requests.clear()
    resumed = sync(config, TIME_STREAMS, killed.state)
    assert held(killed, resumed) == listed(harvest)
    again = sync(config, TIME_STREAMS, resumed.state)
    assert [row["is_running"] for row in again.records("time_entries")] == [True]


@pytest.mark.parametrize("name", ["time_entries", "expenses", "invoices", "estimates"])
@pytest.mark.parametrize("num_workers", [1, 8])
def test_a_row_that_is_pushed_onto_the_next_page_comes_once(
    num_workers: int, name: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    """As where pages have numbers, and a new row comes before those that were read."""
    harvest.page_size_cap = 3
    pages = 0

    def add(request: Any) -> None:
        nonlocal pages
        pages += request.path.endswith(f"/{name}")
        if pages == 2:
            pages += 1000
            harvest.add(name, **{DATES[name]: harvest.clock.now().date().isoformat()})

    harvest.before_page = add
    result = sync({**config, "num_workers": num_workers}, [name])
    ids = [row["id"] for row in result.records(name)]
    assert sorted(ids) == sorted(row["id"] for row in harvest.listed(name))


@pytest.mark.parametrize(("minutes", "comes"), [(None, True), (5, True), (2, False), (0, False)])
def test_a_change_that_shows_late_is_found_within_the_lookback(
    minutes: int | None, comes: bool, harvest: Harvest, config: dict[str, Any]
) -> None:
    first = sync(config, ["clients"])
    began = harvest.clock.now()
    harvest.clock.advance(minutes=10)
    id_ = harvest.add("clients", name="Shown late", updated_at=stamp(began - timedelta(minutes=4)))
    again = sync({**config, "lookback_minutes": minutes}, ["clients"], first.state)
    assert [client["id"] for client in again.records("clients")] == [id_] * comes


def test_rows_are_told_apart_whatever_they_hold() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    rows: list[Row] = [
        {"id": 1, "note": deep},
        {"id": 2, "note": deep},
        {"id": 3, "note": 2**70},
        {"id": 3, "note": "a"},
    ]
    delivered = DeliveredRows(itemgetter("id"))
    assert delivered.new(rows) == rows
    assert delivered.new(rows) == []
    assert delivered.count(rows) == 3
