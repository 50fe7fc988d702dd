"""A report goes on where a killed sync left it."""

from datetime import date
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from emulator import Harvest
from testing.accounts import an_entry, move_to
from testing.comparisons import keyed
from testing.expected_reports import DAY, is_zero, periods, reports, today
from testing.in_process import Sync, kills, sync
from testing.report_syncs import asked, asked_by
from testing.streams import REPORTS


def test_a_killed_sync_remembers_what_the_periods_still_to_be_read_had(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    config |= {"report_lookback_days": 30}
    task = harvest.add("tasks", name="Short-lived")
    entry = an_entry(harvest, "2026-02-10", task_id=task)
    first = sync(config, ["time_tasks"])
    harvest.delete("time_entries", entry)
    move_to(harvest, "2026-04-06")
    for killed in kills(sync(config, ["time_tasks"], first.state), "time_tasks"):
        last = sync(config, ["time_tasks"], killed.state)
        rows = [row for row in killed.records("time_tasks") + last.records("time_tasks") if row["task_id"] == task]
        assert rows != []
        assert all(map(is_zero, rows))


def test_a_period_that_was_current_when_it_was_read_is_read_again_by_the_sync_that_goes_on(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    config |= {"replication_start_date": "2025-01-01"}
    *_, killed, _ = kills(sync(config, ["time_clients"]), "time_clients")
    move_to(harvest, "2026-04-06")
    spans, _ = asked_by(harvest, config, killed.state)
    changeable = today(harvest) - 90 * DAY
    assert {date(2026, 3, 1), date(2026, 4, 1)} <= {first for first, _ in spans}
    assert len(spans) <= 2 + len(periods(changeable, date(2026, 4, 1), "month")) < 15


@pytest.mark.slow
def test_a_killed_sync_goes_on_with_the_periods_that_are_missing(harvest: Harvest, config: dict[str, Any]) -> None:
    whole = sync(config, ["time_clients"])
    everything = asked(harvest)
    settled = today(harvest) - 90 * DAY
    for killed in [*kills(whole, "time_clients")][2:-1:5]:
        spans = killed.states["time_clients"]["unfinished"]["spans"]
        done = {p for p in everything for span in spans if span[0] <= str(p[0]) and str(p[1]) <= span[1]}
        done = {period for period in done if period[1] < settled}
        assert done
        harvest.clock.advance(minutes=10)
        asked_now, _ = asked_by(harvest, config, killed.state)
        assert asked_now == [period for period in everything if period not in done]
        assert [request.path for request in harvest.requests].count("/v2/users/me") == 1


def test_what_changed_after_a_kill_is_read_by_the_sync_that_goes_on(harvest: Harvest, config: dict[str, Any]) -> None:
    config |= {"replication_start_date": "2025-01-01", "report_lookback_days": 60, "num_workers": 1}
    *_, killed = kills(sync(config, ["time_projects"]), "time_projects")
    killed = Sync(killed.messages[:-1])
    harvest.clock.advance(minutes=30)
    an_entry(harvest, "2026-01-20", hours=1.25)
    held = killed.records("time_projects") + sync(config, ["time_projects"], killed.state).records("time_projects")
    expected = reports(harvest, since=date(2025, 1, 1))["time_projects"]
    assert keyed("time_projects", held) == keyed("time_projects", expected)


def test_a_start_date_that_moves_back_after_a_kill_leaves_what_was_read(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    an_entry(harvest, "2025-05-01")
    late, early = ({**config, "replication_start_date": day} for day in ("2025-06-01", "2025-05-01"))
    *_, killed, _ = kills(sync(late, ["time_clients"]), "time_clients")
    assert "unfinished" in killed.states["time_clients"]
    missing, _ = asked_by(harvest, late, killed.state)
    spans, _ = asked_by(harvest, early, killed.state)
    assert spans == [(date(2025, 5, 1), date(2025, 5, 31)), *missing]


@pytest.mark.parametrize("beside", ["project_budget", "time_team"])
def test_a_killed_report_goes_on_beside_another_that_had_not_begun(
    beside: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    whole = sync(config, ["time_clients"])
    everything = asked(harvest)
    killed = [*kills(whole, "time_clients")][len(everything) // 2]
    harvest.requests.clear()
    result = sync(config, ["time_clients", beside], killed.state)
    assert result.error is None
    assert len(asked(harvest)) < 0.7 * len(everything)


@pytest.mark.slow
@pytest.mark.parametrize("names", [["time_clients"], ["time_clients", "time_team"]])
def test_a_killed_sync_that_goes_on_in_the_next_month_reads_that_month_too(
    names: list[str], harvest: Harvest, config: dict[str, Any]
) -> None:
    first = sync(config, names)
    harvest.clock.advance(days=1)
    second = sync(config, names, first.state)
    killed = next(iter(kills(second, "time_clients")))
    assert "unfinished" in killed.states["time_clients"]
    move_to(harvest, "2026-04-15")
    an_entry(harvest, "2026-04-10")
    kept = {state.stream.stream_descriptor.name: state for state in [*first.state, *killed.state]}
    harvest.requests.clear()
    third = sync(config, names, list(kept.values()))
    for name in names:
        assert (date(2026, 4, 1), date(2026, 4, 30)) in asked(harvest, name), name
        assert any(row["period_start"] == "2026-04-01" for row in third.records(name))


def test_rows_that_came_after_the_last_state_of_a_killed_sync_do_not_outlive_their_entries(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    """A destination may keep what was sent after the last state that it was sent."""
    config |= {"num_workers": 1, "replication_start_date": "2026-03-01"}
    first = sync(config, ["time_tasks"])
    task = harvest.add("tasks", name="Short-lived")
    entry = an_entry(harvest, "2026-03-02", task_id=task)
    second = sync(config, ["time_tasks"], first.state)
    cut = next(n for n, m in enumerate(second.messages) if m.record and m.record.data["task_id"] == task)
    killed = Sync(second.messages[: cut + 1])
    harvest.delete("time_entries", entry)
    third = sync(config, ["time_tasks"], killed.state or first.state)
    rows = [row for s in (first, killed, third) for row in s.records("time_tasks") if row["task_id"] == task]
    assert rows[-1]["total_hours"] == 0


@pytest.mark.slow
def test_a_full_refresh_leaves_no_checkpoint_and_reads_everything(harvest: Harvest, config: dict[str, Any]) -> None:
    first = sync(config, REPORTS)
    again = sync(config, REPORTS, first.state, mode=SyncMode.full_refresh)
    assert again.counts == first.counts
    assert "unfinished" not in str(again.state)
