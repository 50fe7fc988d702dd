"""Harvest's rate limit is kept, and a 429 is a wait and never a failure."""

import time
from datetime import timedelta
from typing import Any

import pytest

from emulator import Harvest
from source_harvest import budget
from unit_tests.syncing import STREAM_NAMES, sync


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, in seconds, which are not waited for."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({"retry-after": "7"}, 7), ({}, 15), ({"retry-after": "soon"}, 15), ({"retry-after": "-1"}, 0)],
)
def test_a_429_is_waited_out_for_as_long_as_harvest_says(
    headers: dict[str, str], wait: float, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=429, headers=headers)
    result = sync(config, ["clients"])
    assert result.counts == {"clients": len(harvest.listed("clients"))}
    assert sum(naps) == wait


def test_ten_429s_in_a_row_do_not_fail_a_stream(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    harvest.faults.add(path="/clients$", status=429, headers={"retry-after": "700"}, times=10)
    result = sync(config, ["clients"])
    assert result.statuses == {"clients": "COMPLETE"}
    assert sum(naps) == 7000


def test_lines_are_logged_throughout_a_long_wait(
    harvest: Harvest, config: dict[str, Any], naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    harvest.faults.add(path="/clients$", status=429, headers={"retry-after": "700"})
    sync(config, ["clients"])
    assert max(naps) <= 60
    waiting = [record.message for record in caplog.records if "rate limit is used up" in record.message]
    assert waiting[0].startswith("Harvest's rate limit is used up (429): waiting 700 s for /v2/clients")
    assert len(waiting) == 12


def test_all_streams_together_stay_below_the_limit(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit that refills in a fifth of a second, so that the test does not have to wait for the true one."""
    monkeypatch.setattr(budget, "REQUESTS", 10)
    monkeypatch.setattr(budget, "WINDOW", timedelta(milliseconds=220))
    harvest.limits, harvest.general_limit = True, (10, 0.2)
    result = sync(config, STREAM_NAMES)
    assert result.statuses == dict.fromkeys(STREAM_NAMES, "COMPLETE")
    assert len(harvest.requests) > 40
    assert [request.path for request in harvest.requests if request.status == 429] == []
