"""The limit of requests for reports is kept, and holds up nothing else."""

import logging
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from urllib3.connection import HTTPConnection

from emulator import Harvest
from source_harvest.api import rate_limit
from source_harvest.source import SourceHarvest
from testing.in_process import LOGGER, state_of, sync
from testing.streams import REPORTS


@pytest.mark.slow
@pytest.mark.parametrize(("percent", "limit", "minutes"), [(None, 100, 31), (50, 50, 61), (1, 1, 3017)])
def test_one_line_says_how_many_requests_all_reports_take_and_how_long_by_the_limit_that_is_used(
    percent: int | None,
    limit: int,
    minutes: int,
    harvest: Harvest,
    config: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "REQUESTS", 100)
    monkeypatch.setattr("source_harvest.api.rate_limit.RateLimit.wait", lambda *_: None)
    monkeypatch.setattr("source_harvest.api.rate_limit.RateLimit.take", lambda _: True)
    config |= {"replication_start_date": "2024-03-01", "include_fixed_fee": True}
    refused = state_of("time_team", {"period_end": "2026-01-01T00:00:00Z", "period": "year"})
    caplog.set_level(logging.INFO)
    sync({**config, **({"rate_limit_percent": percent} if percent else {})}, [*REPORTS, "project_budget"], refused)
    planned = sum("/reports/" in request.path for request in harvest.requests)
    lines = [message for message in caplog.messages if "requests for reports" in message]
    told = f"about {minutes} minutes: {planned} requests for reports at {limit} in 15 minutes"
    assert lines == [f"The reports of this sync take {told}"]
    assert planned > 150


@pytest.mark.parametrize(("requests", "minutes"), [(1, 0), (100, 0), (101, 16), (200, 16), (201, 31), (1000, 136)])
def test_as_many_minutes_are_told_as_the_limit_makes_it_take(requests: int, minutes: int) -> None:
    limit = rate_limit.RateLimit("limit", 100, rate_limit.REPORTS_WINDOW, rate_limit.REPORTS_DEFAULT_WAIT)
    assert limit.minutes_for(requests) == minutes


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 4])
def test_other_streams_are_read_while_reports_wait_for_their_limit(
    num_workers: int, harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "REQUESTS", 5)
    monkeypatch.setattr(rate_limit, "WINDOW", timedelta(milliseconds=10))
    monkeypatch.setattr(rate_limit, "REPORTS_WINDOW", timedelta(seconds=8))
    config |= {"num_workers": num_workers, "replication_start_date": "2026-01-01"}
    others = ["clients", "invoices", "invoice_messages", "time_entries", "users"]
    result = sync(config, [*others, "time_clients", "time_tasks"])
    assert result.statuses == dict.fromkeys([*others, "time_clients", "time_tasks"], "COMPLETE")
    paths = [request.path for request in harvest.requests]
    last = max(index for index, path in enumerate(paths) if "/reports/" not in path)
    assert sum("/reports/" in path for path in paths[:last]) <= 5
    at = [request.at for request in harvest.requests if "/reports/" in request.path]
    assert len(at) == 6
    assert all(later - earlier > 4 for earlier, later in zip(at, at[5:], strict=False))


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_429_of_one_report_is_waited_out_by_all(
    num_workers: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/reports/", status=429, headers={"retry-after": "70"}, times=num_workers)
    config |= {"num_workers": num_workers, "replication_start_date": "2024-06-01"}
    result = sync(config, ["time_clients", "time_tasks"])
    assert result.error is None
    refused, *later = [request for request in harvest.requests if "/reports/" in request.path]
    assert refused.status == 429
    assert sum(request.at < refused.at + 70 for request in later) <= num_workers - 1  # what was on its way


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 4])
def test_reports_do_not_queue_behind_what_hangs_on_all_invoices(
    num_workers: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    """Harvest allows reports beside other requests, so their limit is used from the beginning on."""
    harvest.latency = 0.01
    config |= {"num_workers": num_workers, "replication_start_date": "2025-10-01"}
    for _ in range(60):
        harvest.add("invoices", client_id=harvest.listed("clients")[0]["id"])
    result = sync(config, ["invoice_messages", "invoice_payments", "time_clients"])
    assert result.error is None
    paths = [request.path for request in harvest.requests]
    reports_at = [index for index, path in enumerate(paths) if "/reports/" in path]
    visits_at = [index for index, path in enumerate(paths) if path.endswith(("/messages", "/payments"))]
    assert len(reports_at) == 6
    assert reports_at[-1] < visits_at[len(visits_at) // 2]


@pytest.mark.slow
def test_other_streams_are_read_while_reports_wait_out_a_429(harvest: Harvest, config: dict[str, Any]) -> None:
    """Another program may use up the limit."""
    harvest.faults.add(path="/reports/", status=429, headers={"retry-after": "6"})
    harvest.latency = 0.02
    others = ["invoice_messages", "invoice_payments", "estimate_messages", "billable_rates", "cost_rates"]
    config |= {"num_workers": 1, "replication_start_date": "2026-01-01"}
    result = sync(config, [*others, "time_clients"])
    assert result.statuses == dict.fromkeys([*others, "time_clients"], "COMPLETE")
    at = [request.at for request in harvest.requests if "/reports/" not in request.path]
    assert max(later - earlier for earlier, later in pairwise(at)) < 5


@pytest.mark.slow
def test_no_more_connections_are_opened_than_there_are_workers(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    connect = HTTPConnection.connect
    monkeypatch.setattr(HTTPConnection, "connect", lambda self: (opened.append(self), connect(self)))
    sync({**config, "num_workers": 1}, REPORTS)
    assert len(harvest.requests) > 100
    assert len(opened) == 1


def test_check_uses_up_none_of_the_hundred_reports(harvest: Harvest, config: dict[str, Any]) -> None:
    assert SourceHarvest().check(LOGGER, config).status.value == "SUCCEEDED"
    assert not [request.path for request in harvest.requests if "/reports/" in request.path]
