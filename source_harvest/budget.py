"""Harvest's rate limits: spent as fast as they refill, and waited for when they are used up all the same."""

import logging
import time
from datetime import timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import requests
from airbyte_cdk.sources.streams.call_rate import CallRateLimitHit, MovingWindowCallRatePolicy, Rate
from typing_extensions import override

logger = logging.getLogger("airbyte")

# Harvest allows 100 requests in 15 seconds, and for reports 100 in 15 minutes. Requests arrive a little closer
# together or further apart than they were sent, so our windows are wider than Harvest's.
REQUESTS = 100
WINDOW = timedelta(seconds=16)
REPORTS_WINDOW = timedelta(minutes=15, seconds=10)

# A 429 without a usable Retry-After is waited out for Harvest's whole window.
DEFAULT_WAIT = timedelta(seconds=15)
REPORTS_DEFAULT_WAIT = timedelta(minutes=15)

# During a long wait a line is logged this often, so that nobody takes the sync for dead.
LOG_INTERVAL = timedelta(seconds=60)


class Limit:
    """One limit of Harvest's, of which all threads together use no more than their share."""

    def __init__(self, name: str, requests_: int, window: timedelta, default_wait: timedelta) -> None:
        self._name = name
        self._default_wait = default_wait
        self._policy = MovingWindowCallRatePolicy(rates=[Rate(requests_, window)], matchers=[])
        self._lock = Lock()
        self._paused_until = time.monotonic()
        self._logged_at = time.monotonic()

    def acquire(self, request: requests.PreparedRequest) -> None:
        """Returns when a request may be sent."""
        while wait := self.wait_for_turn(request):
            with self._lock:
                if is_time_to_log := time.monotonic() - self._logged_at >= LOG_INTERVAL.total_seconds():
                    self._logged_at = time.monotonic()
            if is_time_to_log:
                logger.info("Waiting %.0f s for Harvest's %s", wait, self._name)
            time.sleep(min(wait, LOG_INTERVAL.total_seconds()))

    def refuse(self, response: requests.Response) -> None:
        """Harvest sent a 429: nobody asks again before the time that it names."""
        try:
            wait = max(0.0, float(response.headers["Retry-After"]))
        except (KeyError, ValueError):
            wait = self._default_wait.total_seconds()
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + wait)
            self._logged_at = time.monotonic()
        logger.info("Harvest's %s is used up (429): waiting %.0f s", self._name, wait)

    def wait_for_turn(self, request: requests.PreparedRequest) -> float:
        """For how many seconds to wait before asking again; 0 where the request may be sent, and is counted."""
        with self._lock:
            pause = self._paused_until - time.monotonic()
        if pause > 0:
            return pause
        try:
            self._policy.try_acquire(request, weight=1)
        except CallRateLimitHit as full:
            return max(full.time_to_wait.total_seconds(), 0.001)
        return 0.0


def allowed(requests_: int, share: float) -> int:
    """How many requests a share of the limit is: one at least."""
    return max(1, int(requests_ * share))


class PatientSession(requests.Session):
    """A session that keeps Harvest's limits and waits out every 429, as often as Harvest sends one.

    So a 429 is never a failure, and never counts against the tries that a fault has.
    """

    def __init__(self, share: float) -> None:
        """`share` is the part of Harvest's limits to use, above 0 and up to 1."""
        super().__init__()
        requests_ = allowed(REQUESTS, share)
        self._general = Limit("limit of 100 requests in 15 seconds", requests_, WINDOW, DEFAULT_WAIT)
        self._reports = Limit("limit of 100 reports in 15 minutes", requests_, REPORTS_WINDOW, REPORTS_DEFAULT_WAIT)

    def limit_for(self, request: requests.PreparedRequest) -> Limit:
        """The limit that a request counts against."""
        return self._reports if "/reports/" in urlsplit(str(request.url)).path else self._general

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        limit = self.limit_for(request)
        while True:
            limit.acquire(request)
            response = super().send(request, **kwargs)
            if response.status_code != 429:
                return response
            limit.refuse(response)
