"""Keeps Harvest's rate limits, and waits after a 429."""

import logging
import math
import time
from collections import deque
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import requests
from typing_extensions import override

from source_harvest.api.auth import HarvestOAuth
from source_harvest.api.no_answer import NoAnswerLimit
from source_harvest.api.request_slots import RequestSlots
from source_harvest.api.session import JsonSession

logger = logging.getLogger("airbyte")

# Harvest allows 100 requests in 15 seconds, and 100 reports in 15 minutes, by its own clock and from when they arrive.
# Ours are longer, as no two clocks agree and one request takes longer to arrive than another.
REQUESTS = 100
WINDOW = timedelta(seconds=15.5)
REPORTS_WINDOW = timedelta(minutes=15, seconds=5)

# The wait after a 429 without a usable Retry-After: Harvest's whole window.
DEFAULT_WAIT = timedelta(seconds=15)
REPORTS_DEFAULT_WAIT = timedelta(minutes=15)

# Four times Harvest's longest window: a Retry-After above it is a mistake.
LONGEST_WAIT = timedelta(hours=1)

# Seconds between two log lines during a long wait, which show that the sync is alive.
LOG_INTERVAL = timedelta(seconds=60).total_seconds()


class RateLimit:
    """One of Harvest's rate limits, shared by all threads.

    The CDK's own policies are not used: each starts a thread that never ends.
    """

    def __init__(self, name: str, allowed: int, window: timedelta, default_wait: timedelta) -> None:
        """At most `allowed` requests are sent in any period as long as `window`."""
        self._name = name
        self.allowed = allowed
        self._window = window.total_seconds()
        self._default_wait = default_wait.total_seconds()
        self._lock = Lock()
        self._sent: deque[float] = deque(maxlen=allowed)
        """When the last requests were sent, by the monotonic clock."""
        self._paused_until = 0.0
        self._logged_at = time.monotonic()

    def wait(self, slots: RequestSlots) -> None:
        """Waits until a request may be sent. Another thread may still send one first. Raises `SyncAbortedError`."""
        while (seconds := self._seconds_to_wait()) > 0:
            slots.nap(min(seconds, LOG_INTERVAL))

    def take(self) -> bool:
        """Counts a request that is sent now; false if none may be sent."""
        with self._lock:
            now = time.monotonic()
            may_send = self._free_at() <= now
            if may_send:
                self._sent.append(now)
            return may_send

    def count(self, slots: RequestSlots) -> None:
        """Counts a request that is sent now. Waits first if the window is short; reports do not wait.

        Raises `SyncAbortedError`.
        """
        if self._window <= WINDOW.total_seconds():
            self.wait(slots)
        with self._lock:
            self._sent.append(time.monotonic())

    def minutes_for(self, requests: int) -> int:
        """The minutes that so many requests take at least."""
        windows = max(0, math.ceil(requests / self.allowed) - 1)
        return math.ceil(windows * self._window / 60)

    def _seconds_to_wait(self) -> float:
        """Seconds until a request may be sent; 0 or less if one may be sent now."""
        with self._lock:
            now = time.monotonic()
            seconds = self._free_at() - now
            if seconds > 0 and now - self._logged_at >= LOG_INTERVAL:
                self._logged_at = now
                logger.info("Waiting %.0f s for Harvest's %s", seconds, self._name)
            return seconds

    def _free_at(self) -> float:
        """When a request may be sent, by the monotonic clock."""
        is_used_up = len(self._sent) == self.allowed
        return max(self._paused_until, self._sent[0] + self._window if is_used_up else 0.0)

    def refuse(self, response: requests.Response) -> None:
        """Takes in a 429: no request is sent before its Retry-After is over."""
        try:
            wait = float(response.headers["Retry-After"])
        except (KeyError, ValueError):
            wait = self._default_wait
        if not wait <= LONGEST_WAIT.total_seconds():  # also true of NaN
            wait = self._default_wait
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + max(0.0, wait))
            self._logged_at = time.monotonic()
        logger.info("Harvest's %s is used up (429): waiting %.0f s", self._name, wait)


class ReportPlan:
    """Logs once how many requests the reports of a sync take, when all of them have added theirs."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._lock = Lock()
        self._expected: set[str] = set()
        self._requests = 0

    def expect(self, stream: str) -> None:
        """Announces that the stream will `add` its requests. All are announced before the first adds."""
        with self._lock:
            self._expected.add(stream)

    def add(self, stream: str, requests: int) -> None:
        """Adds the number of requests that the stream takes."""
        with self._lock:
            self._requests += requests
            self._expected.discard(stream)
            if self._requests and not self._expected:
                minutes, requests = self._limit.minutes_for(self._requests), self._requests
                logger.info(
                    "The reports of this sync take about %d minutes: %d requests for reports at %d in 15 minutes",
                    *(minutes, requests, self._limit.allowed),
                )


def allowed(share: float) -> int:
    """The requests per window that a share of a limit is; at least one."""
    return max(1, int(REQUESTS * share))


class HarvestSession(JsonSession):
    """A session that keeps Harvest's rate limits, and after every 429 waits and sends the request again.

    So a 429 is never an error, and does not count as a retry.
    """

    def __init__(self, share: float, slots: RequestSlots, no_answer: NoAnswerLimit) -> None:
        """`share` is the part of Harvest's limits to use, above 0 and up to 1. Waits end when `slots` is closed."""
        super().__init__(slots, no_answer)
        self._general = RateLimit("limit of 100 requests in 15 seconds", allowed(share), WINDOW, DEFAULT_WAIT)
        self.reports = RateLimit(
            "limit of 100 reports in 15 minutes", allowed(share), REPORTS_WINDOW, REPORTS_DEFAULT_WAIT
        )

    def limit_for(self, request: requests.PreparedRequest) -> RateLimit:
        """The rate limit that a request counts against."""
        return self.reports if "/reports/" in urlsplit(str(request.url)).path else self._general

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        limit = self.limit_for(request)
        while True:
            self._slots.check()
            limit.wait(self._slots)
            # A report holds a slot only while it is sent, as its wait of minutes would keep others out. While it waited
            # for the slot, another thread may have used up the limit.
            with self._slots.slot() if limit is self.reports else nullcontext():
                if not limit.take():
                    continue
                response = super().send(request, **kwargs)
                if response.status_code != 429:
                    return response
                limit.refuse(response)

    @override
    def ask(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        ask = partial(super().ask, request, **kwargs)
        if not isinstance(self.auth, HarvestOAuth):
            return ask()
        return self.auth.answer(request, ask, partial(self.limit_for(request).count, self._slots))
