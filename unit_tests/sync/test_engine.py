"""The promises of the engine: the order of messages, what a failed stream leaves behind, and that it ends."""

import json
import random
import threading
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.api.session import JsonSession
from source_harvest.source import SourceHarvest
from source_harvest.stream_types.base import HarvestStream
from source_harvest.streams import STREAMS
from source_harvest.sync import engine
from testing.expected_reports import today
from testing.expected_tables import identity, tables
from testing.in_process import Sync, sync
from testing.streams import STREAM_NAMES, stream_name


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_a_crash_after_any_message_loses_nothing(seed: int, harvest: Harvest, config: dict[str, Any]) -> None:
    """Rows and states that were seen until then, and what the next sync adds to them, are the account."""
    harvest.page_size_cap = 5
    chance = random.Random(seed)
    first = sync(config, STREAM_NAMES)
    crash = chance.randrange(len(first.messages))
    before = Sync(first.messages[:crash])
    harvest.clock.advance(hours=chance.choice((0, 1, 48)))
    after = sync(config, STREAM_NAMES, before.state)
    for name, rows in tables(harvest).items():
        held = {identity(name, row): row for row in before.records(name) + after.records(name)}
        if rows and "snapshot_date" in rows[0]:  # the days before are history
            held = {key: row for key, row in held.items() if row["snapshot_date"] == today(harvest).isoformat()}
        assert held == {identity(name, row): row for row in rows}, name


@pytest.mark.slow
def test_a_stream_is_complete_only_after_its_state(config: dict[str, Any]) -> None:
    done: set[str] = set()
    for message in sync(config, STREAM_NAMES).messages:
        if message.state and message.state.stream:
            done.add(message.state.stream.stream_descriptor.name)
        if message.trace and message.trace.stream_status and message.trace.stream_status.status.value == "COMPLETE":
            assert message.trace.stream_status.stream_descriptor.name in done


def test_a_failed_full_refresh_leaves_no_state_that_says_it_is_done(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/roles$", status=403)
    result = sync(config, ["roles", "user_roles"])
    assert result.states == {}
    assert result.statuses == {"roles": "INCOMPLETE", "user_roles": "INCOMPLETE"}


def test_a_successful_full_refresh_says_so(config: dict[str, Any]) -> None:
    assert sync(config, ["roles"]).states == {"roles": {"__ab_no_cursor_state_message": True}}


def test_an_empty_catalog_is_an_empty_sync(config: dict[str, Any]) -> None:
    assert sync(config, []).messages == []


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 2, 40])
def test_any_number_of_workers_reads_the_same(num_workers: int, harvest: Harvest, config: dict[str, Any]) -> None:
    result = sync({**config, "num_workers": num_workers}, STREAM_NAMES)
    assert result.statuses == dict.fromkeys(STREAM_NAMES, "COMPLETE")
    assert result.counts["time_entries"] == len(harvest.listed("time_entries"))


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 3])
def test_no_more_requests_are_under_way_at_once_than_there_are_workers(
    num_workers: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    under_way, most = 0, 0
    lock = threading.Lock()

    original = JsonSession.send

    def counted(self: JsonSession, *args: Any, **kwargs: Any) -> Any:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        try:
            return original(self, *args, **kwargs)
        finally:
            with lock:
                under_way -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JsonSession, "send", counted)
        harvest.latency = 0.01
        sync({**config, "num_workers": num_workers}, STREAM_NAMES)
    assert most == num_workers


@pytest.mark.slow
@pytest.mark.parametrize(
    "stream", [stream for stream in STREAMS if stream.source_lists() == (stream,)], ids=stream_name
)
def test_a_stream_by_itself_reads_all_pages(
    stream: type[HarvestStream], harvest: Harvest, config: dict[str, Any]
) -> None:
    """Through the CDK's own method, which for streams without a cursor would stop after the first page."""
    harvest.page_size_cap = 2
    known = {s.name: s for s in SourceHarvest().streams(config)}
    found = list(known[stream_name(stream)].read_records(None))
    assert len(found) == len(tables(harvest)[stream_name(stream)])


def test_the_error_of_a_stream_is_said_once(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/invoices$", status=403, times=None)
    result = sync(config, ["invoices", "invoice_messages", "invoice_payments", "clients"])
    told = [m.trace.error.stream_descriptor.name for m in result.messages if m.trace and m.trace.error]
    assert sorted(told) == ["invoice_messages", "invoice_payments", "invoices"]


def test_a_sync_that_takes_a_user_to_mend_is_a_config_error_whatever_else_failed(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=403, times=None)
    harvest.faults.add(path="/projects$", status=503, times=None)
    result = sync(config, ["clients", "projects", "tasks"])
    assert {name: kind for name, (kind, _) in result.errors.items()} == {
        "clients": "config_error",
        "projects": "transient_error",
    }
    assert result.error is not None
    assert result.error.failure_type.value == "config_error"


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 8])
def test_no_thread_waits_for_ever_where_the_queue_is_short(
    num_workers: int, harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "QUEUE_SIZE", 1)
    harvest.page_size_cap = 7
    result = sync({**config, "num_workers": num_workers}, STREAM_NAMES)
    assert result.statuses == dict.fromkeys(STREAM_NAMES, "COMPLETE")


def test_no_stream_waits_for_ever_where_nobody_can_tell_who_asks(harvest: Harvest, config: dict[str, Any]) -> None:
    user = {**harvest.listed("users")[0], "access_roles": True}
    harvest.faults.add("/users/me$", status=200, body=json.dumps(user), times=None)
    others = ["project_users", "project_tasks", "user_projects", "user_project_tasks", "clients"]
    result = sync(config, [*others, "deleted_records"])
    assert result.statuses == {**dict.fromkeys(others, "COMPLETE"), "deleted_records": "INCOMPLETE"}
    assert "not as documented" in result.errors["deleted_records"][1]
