"""A list that several streams are made of: each of them is whole, whatever the others have read before."""

import logging
from typing import Any

import pytest

from emulator import Harvest
from testing.comparisons import assert_whole
from testing.expected_tables import tables
from testing.in_process import kills, sync
from testing.streams import TIME_STREAMS


def test_streams_of_one_list_each_find_their_own_changes(harvest: Harvest, config: dict[str, Any]) -> None:
    """A list is asked for once, from the earliest change on that any of its streams needs."""
    names = ["invoices", "invoice_line_items"]
    early = sync(config, names)
    harvest.clock.advance(hours=1)
    invoice = next(row["id"] for row in harvest.listed("invoices") if row["line_items"])
    harvest.update("invoices", invoice, notes="Changed")
    harvest.clock.advance(hours=1)
    late = sync(config, names)
    harvest.clock.advance(hours=1)
    for behind, ahead in (names, reversed(names)):
        states = [s for s in early.state if s.stream.stream_descriptor.name == behind]
        states += [s for s in late.state if s.stream.stream_descriptor.name == ahead]
        result = sync(config, names, states)
        parent = "id" if behind == "invoices" else "invoice_id"
        assert set(result.counts) == {behind}
        assert result.records(behind) == [row for row in tables(harvest)[behind] if row[parent] == invoice]


def test_a_new_stream_beside_an_old_one_goes_on_after_a_kill(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    old = sync(config, ["time_entries"])
    harvest.clock.advance(hours=1)
    whole = sync(config, TIME_STREAMS, old.state)
    *_, killed, _ = kills(whole, TIME_STREAMS[-1])
    assert "unfinished" in killed.states[TIME_STREAMS[1]]
    harvest.requests.clear()
    sync(config, TIME_STREAMS, [*old.state, *killed.state])
    beside = len(harvest.requests)
    harvest.requests.clear()
    sync(config, TIME_STREAMS[1:], killed.state)
    alone = len(harvest.requests)
    assert beside <= alone + 3, (beside, alone)


def test_a_summary_counts_the_requests_for_lists_that_are_no_stream_of_the_sync(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sync(config, ["user_projects"])
    assert f"user_projects: rows: {len(harvest.listed('user_assignments'))}, requests: 3, " in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("gap", [1, 100])
def test_a_new_stream_beside_an_old_one_is_whole_after_a_kill(
    gap: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap = 5
    old = sync(config, ["time_entries"])
    harvest.clock.advance(hours=gap)
    rows = harvest.listed("time_entries")
    harvest.update("time_entries", rows[3]["id"], notes="a")
    harvest.clock.advance(hours=1)
    whole = sync(config, TIME_STREAMS, old.state)
    killed_syncs = list(kills(whole, TIME_STREAMS[-1]))
    killed = killed_syncs[len(killed_syncs) // 2]
    assert "time_entries" not in killed.states
    harvest.clock.advance(hours=1)
    harvest.update("time_entries", rows[-3]["id"], notes="b", spent_date=rows[0]["spent_date"])
    harvest.clock.advance(hours=1)
    resumed = sync(config, TIME_STREAMS, [*old.state, *killed.state])
    assert resumed.error is None
    assert_whole(harvest, old, killed, resumed)
    harvest.clock.advance(hours=1)
    harvest.update("time_entries", rows[7]["id"], notes="c")
    assert_whole(harvest, old, killed, resumed, sync(config, TIME_STREAMS, resumed.state))
