"""Running timers have in each sync the hours that they have by then."""

from typing import Any

import pytest

from emulator import Harvest
from testing.accounts import requests_to
from testing.comparisons import assert_whole
from testing.in_process import Sync, kills, sync
from testing.streams import DELETED


def asked_for_timers(harvest: Harvest) -> int:
    """How often running timers were asked for since the last call."""
    asked = [query for query in requests_to(harvest, "/v2/time_entries") if "is_running" in query]
    harvest.requests.clear()
    return len(asked)


def timer(result: Sync) -> dict[str, Any]:
    """The one row of a sync."""
    [row] = result.records("time_entries")
    return row


def test_a_running_timer_has_its_hours_of_each_sync(harvest: Harvest, config: dict[str, Any]) -> None:
    first = sync(config, ["time_entries"])
    assert asked_for_timers(harvest) == 0  # the whole list has it
    syncs = [first]
    for _ in range(3):
        harvest.clock.advance(hours=1)
        syncs.append(sync(config, ["time_entries"], syncs[-1].state))
        assert asked_for_timers(harvest) == 1
        assert_whole(harvest, *syncs, names=["time_entries"])
    assert [timer(result)["hours"] for result in syncs[1:]] == pytest.approx([2.05, 3.05, 4.05], abs=0.01)
    harvest.update("time_entries", timer(syncs[-1])["id"], is_running=False, hours=4.5)
    syncs.append(sync(config, ["time_entries"], syncs[-1].state))
    assert_whole(harvest, *syncs, names=["time_entries"])


@pytest.mark.parametrize("more", [{}, {"replication_start_date": "2020-01-01"}], ids=["whole", "from the start date"])
def test_where_the_list_is_read_whole_its_timers_are_in_it(
    more: dict[str, Any], harvest: Harvest, config: dict[str, Any]
) -> None:
    config = {**config, **more}
    first = sync(config, ["time_entries", DELETED])
    harvest.clock.advance(days=1)
    second = sync(config, ["time_entries", DELETED], first.state)
    assert asked_for_timers(harvest) == 0
    assert timer(second)["is_running"]
    assert_whole(harvest, first, second, names=["time_entries"])


def test_a_first_read_that_was_killed_brings_the_timer_anew(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    whole = sync(config, ["time_entries"])
    asked_for_timers(harvest)
    for part in list(kills(whole, "time_entries"))[:-1:7]:
        harvest.clock.advance(hours=1)
        rest = sync(config, ["time_entries"], part.state)
        assert asked_for_timers(harvest) == 1
        assert_whole(harvest, part, rest, names=["time_entries"])


def test_a_timer_from_before_the_start_date_stays_left_out(harvest: Harvest, config: dict[str, Any]) -> None:
    config = {**config, "replication_start_date": "2026-03-02T08:30:00Z"}
    first = sync(config, ["time_entries"])
    harvest.clock.advance(hours=1)
    second = sync(config, ["time_entries"], first.state)
    assert asked_for_timers(harvest) == 1
    assert (first.counts, second.counts) == ({}, {})


def test_a_timer_that_is_seen_with_the_others_and_then_deleted_is_told(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    """It was started after the list was read, and before timers were asked for."""
    first = sync(config, ["time_entries", DELETED])
    harvest.clock.advance(minutes=10)
    started: list[int] = []

    def start(request: Any) -> None:
        if "is_running" in request.query and not started:
            started.append(harvest.add("time_entries", is_running=True, hours=0.0))

    harvest.before_page = start
    second = sync(config, ["time_entries", DELETED], first.state)
    harvest.before_page = None
    assert started[0] in {row["id"] for row in second.records("time_entries")}
    harvest.delete("time_entries", started[0])
    harvest.clock.advance(days=1)
    third = sync(config, ["time_entries", DELETED], second.state)
    assert [row["record_id"] for row in third.records(DELETED)] == started
