"""What came in a sync that did not look for deletions is told as deleted later, or it says that it cannot know."""

from typing import Any

import pytest

from emulator import Harvest
from testing.deletion_syncs import WITH_IDS, Story, first_sync
from testing.in_process import Sync, state_in, sync
from testing.streams import DELETED, WHOLE


def warnings_of_unknown(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if "were read without it" in record.getMessage()]
    caplog.clear()
    return found


def added(harvest: Harvest, stream: str) -> int:
    values = {
        "contacts": {"client_id": harvest.listed("clients")[0]["id"]},
        "invoice_messages": {"invoice_id": harvest.listed("invoices")[0]["id"], "subject": "Another"},
    }
    return harvest.add(stream, **values.get(stream, {}))


@pytest.mark.parametrize("stream", ["clients", "contacts", "time_entries", "invoice_messages"])
def test_rows_that_came_without_it_are_told_later_or_it_says_that_it_cannot_know(
    stream: str, harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    story = first_sync(harvest, {**config, "deleted_records_days": 30, "child_full_read_days": 0}, [stream])
    last = f"{harvest.clock.now():%Y-%m-%dT%H:%M}"
    story.sync([stream, DELETED])
    harvest.clock.advance(hours=1)
    left, gone = added(harvest, stream), added(harvest, stream)
    story.sync([stream])
    assert {left, gone} <= story.ids(stream)
    harvest.clock.advance(hours=1)
    harvest.delete(stream, gone)
    assert warnings_of_unknown(caplog) == []
    story.sync([stream, DELETED])
    [warning] = warnings_of_unknown(caplog)
    assert f"after {last}" in warning
    assert f": {stream}. Rows that came" in warning
    harvest.clock.advance(days=31)
    harvest.delete(stream, left)
    story.sync([stream, DELETED])
    assert story.said_to_be_deleted(stream) == {left}
    assert warnings_of_unknown(caplog) == []


def test_it_says_so_too_where_the_sync_without_it_was_killed_after_its_first_row(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    story = first_sync(harvest, config, ["clients", "tasks"])
    client = added(harvest, "clients")
    messages = sync(config, ["clients"], state_in(story.destination)).messages
    first = next(n for n, message in enumerate(messages) if message.record and message.record.data["id"] == client)
    story.keep(Sync(messages[: first + 1]).state)
    harvest.delete("clients", client)
    story.sync(["clients", "tasks", DELETED])
    assert [": clients. Rows that came" in warning for warning in warnings_of_unknown(caplog)] == [True]


def test_it_says_so_where_its_own_state_was_cleared_or_it_was_never_there(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    state = sync(config, ["clients", "users"]).state
    both = sync(config, ["clients", "users", DELETED], state)
    assert ["clients, users" in warning for warning in warnings_of_unknown(caplog)] == [True]
    cleared = [s for s in both.state if s.stream and s.stream.stream_descriptor.name != DELETED]
    sync(config, ["clients", "users", DELETED], cleared)
    assert ["clients, users" in warning for warning in warnings_of_unknown(caplog)] == [True]


@pytest.mark.slow
def test_a_killed_sync_is_none_that_was_read_without_it(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    harvest.page_size_cap = 20
    streams = [name for name in WITH_IDS if name not in WHOLE]
    for until in (0.3, 0.6, 0.9):
        story = Story(config)
        story.sync([*streams, DELETED], until=until)
        harvest.clock.advance(days=1)
        story.sync([*streams, DELETED], until=until)
        story.sync([*streams, DELETED])
    assert warnings_of_unknown(caplog) == []


def test_states_say_nothing_of_deletions_where_nobody_looks_for_them(harvest: Harvest, config: dict[str, Any]) -> None:
    first = sync(config, ["clients"])
    second = sync(config, ["clients"], first.state)
    assert [state.keys() for state in (first.states["clients"], second.states["clients"])] == [
        {"updated_at", "account"}
    ] * 2
    assert len(second.state) == 1
