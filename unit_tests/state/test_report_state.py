"""The state of a report: how far it is, what it has read, and whose state it takes over."""

import time
from collections.abc import Mapping
from datetime import date
from itertools import cycle
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.state.packing import unpacked
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.report import DAYS
from source_harvest.streams.reports import TimeTasks
from testing.expected_reports import DAY, periods, reports, today
from testing.in_process import state_of, sync
from testing.report_syncs import asked_by


def test_the_state_of_the_earlier_connector_is_taken_over(harvest: Harvest, config: dict[str, Any]) -> None:
    spans, state = asked_by(harvest, config, state_of("time_clients", {"to": "20251130"}))
    assert spans == periods(date(2025, 11, 30) - 90 * DAY, today(harvest), "month")
    assert asked_by(harvest, config, state)[0] == periods(today(harvest) - 90 * DAY, today(harvest), "month")


def test_a_state_from_the_future_is_distrusted(harvest: Harvest, config: dict[str, Any]) -> None:
    whole, _ = asked_by(harvest, config)
    assert asked_by(harvest, config, state_of("time_clients", {"period_end": "2999-01-01T00:00:00Z"}))[0] == whole


@pytest.mark.parametrize(
    "state",
    [
        {"to": "soon"},
        {"to": 20240615},
        {"to": "20240615", "from": "20240101"},
        {"period_end": "2026-01-01T00:00:00Z", "subjects": {"EUR": "x"}},
        {"period_end": "2026-01-01T00:00:00Z", "subjects": []},
        {"period_end": "2026-01-01T00:00:00Z", "from": "x"},
        {"period_end": "2026-01-01T00:00:00Z", "from": None},
        {"period_end": 5},
        {"updated_at": "2026-01-01T00:00:00Z", "more": 1},
    ],
)
def test_an_unreadable_state_is_an_error_that_names_the_report(state: dict[str, Any], config: dict[str, Any]) -> None:
    result = sync(config, ["time_clients"], state_of("time_clients", state))
    assert 'The state of the stream "time_clients" cannot be read' in str(result.error)
    assert result.messages == []


def test_a_state_says_how_far_the_report_is_and_in_which_periods(harvest: Harvest, config: dict[str, Any]) -> None:
    config |= {"replication_start_date": "2026-01-17", "include_fixed_fee": True}
    state = dict(sync(config, ["time_clients"]).states["time_clients"])
    assert set(state.pop("subjects")) == {
        row["currency"] for row in reports(harvest, since=date(2026, 1, 1))["time_clients"]
    }
    assert state == {
        "period_end": f"{harvest.clock.now():%Y-%m-%dT%H:%M:%SZ}",
        "account": str(harvest.account_id),
        "period": "month",
        "from": "2026-01-01",
        "include_fixed_fee": True,
    }


def test_no_state_forgets_a_row_that_came_before_it(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a thread is put aside between composing a state and sending it."""
    extra_state, delays = TimeTasks.extra_state, cycle([0.05, 0])

    def slowly(stream: TimeTasks, progress: StreamProgress) -> Mapping[str, Any]:
        kept = extra_state(stream, progress)
        time.sleep(next(delays))
        return kept

    monkeypatch.setattr(TimeTasks, "extra_state", slowly)
    config |= {"replication_start_date": "2026-02-10", "report_period": "day"}
    rows, states = set(), 0
    for message in sync(config, ["time_tasks"]).messages:
        if message.record:
            row = message.record.data
            rows.add((row["task_id"], row["currency"], row["period_start"]))
        elif message.state and message.state.stream:
            states += 1
            assert rows <= remembered(vars(message.state.stream.stream_state))
    assert states > 10


def remembered(state: Mapping[str, Any]) -> set[tuple[int, str, str]]:
    """The keys of the rows that a report's state knows."""
    found = set()
    for currency, text in state["subjects"].items():
        for number in unpacked(text):
            id_, day = divmod(number, DAYS)
            found.add((id_, currency, date.fromordinal(day).isoformat()))
    return found
