"""Harvest's rate limit is kept, and a 429 is a wait and never a failure."""

import random
import time
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
import requests

from emulator import Harvest
from source_harvest.api import rate_limit
from source_harvest.api.no_answer import NoAnswerLimit
from source_harvest.api.request_slots import RequestSlots
from testing.in_process import sync
from testing.streams import LISTS, WHOLE

# So many seconds a busy machine may take between an answer and the wait that it asks for, which is shorter by them.
BUSY = 5


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7),
        ({}, 15),
        ({"retry-after": "soon"}, 15),
        ({"retry-after": "inf"}, 15),
        ({"retry-after": "nan"}, 15),
        ({"retry-after": "1e300"}, 15),
        ({"retry-after": "3601"}, 15),
        ({"retry-after": "3600"}, 3600),
        ({"retry-after": "Wed, 21 Oct 2065 07:28:00 GMT"}, 15),
        ({"retry-after": "-1"}, 0),
    ],
)
def test_a_429_is_waited_out_for_as_long_as_harvest_says(
    headers: dict[str, str], wait: float, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=429, headers=headers)
    result = sync(config, ["clients"])
    assert result.counts == {"clients": len(harvest.listed("clients"))}
    assert wait - BUSY < sum(naps) < wait + 0.1


def test_ten_429s_in_a_row_do_not_fail_a_stream(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    harvest.faults.add(path="/clients$", status=429, headers={"retry-after": "700"}, times=10)
    result = sync(config, ["clients"])
    assert result.statuses == {"clients": "COMPLETE"}
    assert 7000 - 10 * BUSY < sum(naps) < 7001


def test_lines_are_logged_throughout_a_long_wait(
    harvest: Harvest, config: dict[str, Any], naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    harvest.faults.add(path="/clients$", status=429, headers={"retry-after": "700"})
    sync(config, ["clients"])
    assert max(naps) <= 60
    waiting = [record.message for record in caplog.records if "Harvest's limit of 100 requests" in record.message]
    assert waiting[0] == "Harvest's limit of 100 requests in 15 seconds is used up (429): waiting 700 s"
    assert len(waiting) == 12


@pytest.mark.slow
def test_all_lists_together_keep_the_limit(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit that refills in half a second, so that the test does not have to wait for the true one."""
    monkeypatch.setattr(rate_limit, "REQUESTS", 10)
    monkeypatch.setattr(rate_limit, "WINDOW", timedelta(milliseconds=500))
    result = sync(config, [*LISTS, *WHOLE])
    assert result.statuses == dict.fromkeys([*LISTS, *WHOLE], "COMPLETE")
    sent = [request.at for request in harvest.requests]
    assert len(sent) > 40
    # However late each arrives: the last cannot have been sent before its turn. Half of it, as the first may be late.
    assert max(sent) - min(sent) > (len(sent) // 10 - 1) * 0.5 / 2


@pytest.mark.parametrize(("path", "limit"), [("/v2/clients", "_general"), ("/v2/reports/time/clients", "reports")])
@pytest.mark.parametrize("query", ["", "?from=20240101&to=20241231", "?next=/reports/"])
def test_reports_have_a_limit_of_their_own(path: str, limit: str, query: str) -> None:
    session = rate_limit.HarvestSession(share=1, slots=RequestSlots(1), no_answer=NoAnswerLimit())
    request = requests.Request("GET", f"https://api.harvestapp.com{path}{query}").prepare()
    assert session.limit_for(request) is getattr(session, limit)


@pytest.mark.parametrize(("percent", "at_once"), [(100, 100), (50, 50), (1, 1)])
def test_a_smaller_share_of_the_limit_can_be_asked_for(
    percent: int, at_once: int, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: sum(naps))
    monkeypatch.setattr(rate_limit, "REQUESTS", 100)
    limit = limit_of(rate_limit.allowed(percent / 100), window=3600)
    for _ in range(at_once):
        take_turn(limit)
    assert naps == []
    take_turn(limit)
    assert 3600 <= sum(naps) < 3610


@pytest.mark.parametrize("seed", range(20))
def test_harvest_never_counts_more_requests_than_allowed(
    seed: int, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    """However long requests take to arrive, up to as much as the window is longer than Harvest's."""
    chance = random.Random(seed)
    monkeypatch.setattr(time, "monotonic", lambda: sum(naps))
    limit = limit_of(10, window=15.5)
    arrived = []
    for _ in range(300):
        take_turn(limit)
        arrived.append(time.monotonic() + chance.choice([0, 0.5 * chance.random()]))
        naps.append(chance.choice([0, 0, 0.1, 3]))
    arrived.sort()
    assert all(later - earlier >= 14.999 for earlier, later in zip(arrived, arrived[10:], strict=False))


def test_who_is_let_in_after_a_429_waits_all_the_same(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    gate = RequestSlots(1)
    session = rate_limit.HarvestSession(share=1, slots=gate, no_answer=NoAnswerLimit())
    request = requests.Request("GET", f"{config['api_url']}/reports/time/clients").prepare()
    sender = Thread(target=session.send, args=[request])
    refused = requests.Response()
    refused.headers["Retry-After"] = "70"
    with gate.slot():
        sender.start()
        sender.join(0.2)
        assert (naps, harvest.requests) == ([], [])
        session.reports.refuse(refused)
    sender.join()
    session.close()
    assert len(harvest.requests) == 1
    assert 70 - BUSY < sum(naps) < 70.5


def take_turn(limit: rate_limit.RateLimit) -> None:
    """Of one who sends without delay."""
    limit.wait(RequestSlots(1))
    assert limit.take()


def limit_of(allowed: int, window: float) -> rate_limit.RateLimit:
    return rate_limit.RateLimit("limit", allowed, timedelta(seconds=window), timedelta(0))


# Before conftest.py's fixture lifts it.
TRUE_REQUESTS = rate_limit.REQUESTS


def test_the_limit_is_100_requests_in_a_little_more_than_15_seconds(
    monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: sum(naps))
    monkeypatch.setattr(rate_limit, "REQUESTS", TRUE_REQUESTS)
    session = rate_limit.HarvestSession(share=1, slots=RequestSlots(1), no_answer=NoAnswerLimit())
    limit = session.limit_for(requests.Request("GET", "https://api.harvestapp.com/v2/clients").prepare())
    for _ in range(100):
        take_turn(limit)
    assert naps == []
    take_turn(limit)
    assert 15 < sum(naps) < 17


@pytest.mark.slow
def test_all_streams_share_one_budget(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from Harvest; most of a window is slack, because a busy machine hands on some requests later than others."""
    monkeypatch.setattr(rate_limit, "REQUESTS", 4)
    monkeypatch.setattr(rate_limit, "WINDOW", timedelta(seconds=2))
    sync(config, ["clients", "contacts", "expenses", "tasks", "time_entries", "projects", "roles", "users", "invoices"])
    arrived = [request.at for request in harvest.requests]
    assert len(arrived) == 9
    assert all(fifth - first > 0.5 for first, fifth in zip(arrived, arrived[4:], strict=False))
