"""Harvest's rate limits: spent as fast as they refill, and waited for when they are used up all the same."""

import logging
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Lock, local
from typing import Any
from urllib.parse import urlsplit

import requests
from typing_extensions import override

from source_harvest.auth import HarvestOAuth
from source_harvest.gate import Gate
from source_harvest.no_answer import NoAnswerLimit
from source_harvest.session import AnswerSession

logger = logging.getLogger("airbyte")

# Harvest allows 100 requests in 15 seconds, and for reports 100 in 15 minutes; a little more, as no two clocks agree.
REQUESTS = 100
WINDOW = timedelta(seconds=15.25)
REPORTS_WINDOW = timedelta(minutes=15, seconds=5)

# How much later than it was sent a request may arrive at Harvest, and begin to count there. Of one that was answered
# it is known that it had arrived by then, so these count only while the answer takes longer.
SLACK = timedelta(seconds=0.75)
REPORTS_SLACK = timedelta(seconds=5)

# A 429 without a usable Retry-After is waited out for Harvest's whole window.
DEFAULT_WAIT = timedelta(seconds=15)
REPORTS_DEFAULT_WAIT = timedelta(minutes=15)

# Four times Harvest's longest window: a Retry-After above it is a mistake.
LONGEST_WAIT = timedelta(hours=1)

# During a long wait a line is logged this often, so that nobody takes the sync for dead.
LOG_INTERVAL = timedelta(seconds=60).total_seconds()


@dataclass
class Turn:
    """One request that was sent."""

    over_at: float
    """From when on Harvest has forgotten it, by our monotonic clock."""


class Limit:
    """One limit of Harvest's, of which all threads together use no more than their share.

    The CDK's own policies are not used: each starts a thread that never ends.
    """

    def __init__(self, name: str, allowed: int, window: timedelta, slack: timedelta, default_wait: timedelta) -> None:
        """So many requests are `allowed` in each window of that length, wherever it begins."""
        self._name = name
        self.allowed = allowed
        self._window = window.total_seconds()
        self._slack = slack.total_seconds()
        self._default_wait = default_wait.total_seconds()
        self._lock = Lock()
        self._turns: list[Turn] = []
        self._paused_until = 0.0
        self._logged_at = time.monotonic()

    def wait(self, gate: Gate) -> None:
        """Waits until a request may be sent, unless another takes the turn before.

        Raises `SyncGivenUpError`.
        """
        while (seconds := self._seconds_to_wait()) > 0:
            gate.nap(min(seconds, LOG_INTERVAL))

    def take(self) -> Turn | None:
        """Counts a request that is sent now; None where none may be."""
        with self._lock:
            now = time.monotonic()
            return None if self._free_at(now) > now else self._counted(now)

    def count(self, gate: Gate) -> None:
        """Counts a request that is sent now, after a wait where that is no longer than Harvest's short window.

        Raises `SyncGivenUpError`.
        """
        if self._window <= WINDOW.total_seconds():
            self.wait(gate)
        with self._lock:
            self._counted(time.monotonic())

    def _counted(self, now: float) -> Turn:
        turn = Turn(now + self._window + self._slack)
        self._turns.append(turn)
        return turn

    def minutes_for(self, requests: int) -> int:
        """How many minutes so many requests take at least."""
        windows = max(0, math.ceil(requests / self.allowed) - 1)
        return math.ceil(windows * self._window / 60)

    def answered(self, turn: Turn) -> None:
        """The request of that turn was answered, so it arrived at Harvest before now."""
        turn.over_at = min(turn.over_at, time.monotonic() + self._window)

    def _seconds_to_wait(self) -> float:
        """Not above 0 where a request may be sent."""
        with self._lock:
            now = time.monotonic()
            seconds = self._free_at(now) - now
            if seconds > 0 and now - self._logged_at >= LOG_INTERVAL:
                self._logged_at = now
                logger.info("Waiting %.0f s for Harvest's %s", seconds, self._name)
            return seconds

    def _free_at(self, now: float) -> float:
        """When a request may be sent, by our monotonic clock."""
        self._turns = [turn for turn in self._turns if turn.over_at > now]
        free_at = min(turn.over_at for turn in self._turns) if len(self._turns) >= self.allowed else now
        return max(self._paused_until, free_at)

    def refuse(self, response: requests.Response) -> None:
        """Harvest sent a 429: nobody asks again before the time that it names."""
        try:
            wait = float(response.headers["Retry-After"])
        except (KeyError, ValueError):
            wait = self._default_wait
        if not wait <= LONGEST_WAIT.total_seconds():  # nor where it is no number
            wait = self._default_wait
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + max(0.0, wait))
            self._logged_at = time.monotonic()
        logger.info("Harvest's %s is used up (429): waiting %.0f s", self._name, wait)


class ReportPlan:
    """How many requests the reports of a sync take: told once, when each of them has said how many it takes."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._lock = Lock()
        self._expected: set[str] = set()
        self._requests = 0

    def expect(self, stream: str) -> None:
        """That stream is going to say it. All are expected before the first says it."""
        with self._lock:
            self._expected.add(stream)

    def add(self, stream: str, requests: int) -> None:
        """That stream takes so many requests."""
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
    """How many requests in a window a share of a limit is: one at least."""
    return max(1, int(REQUESTS * share))


class PatientSession(AnswerSession):
    """A session that keeps Harvest's limits and waits out every 429, as often as Harvest sends one.

    So a 429 is never a failure, and never counts against the tries that a fault has.
    """

    def __init__(self, share: float, gate: Gate, connections: int, no_answer: NoAnswerLimit | None = None) -> None:
        """`share` is the part of Harvest's limits to use, above 0 and up to 1. Waits end when the gate is closed."""
        super().__init__(connections, gate, no_answer)
        self._gate = gate
        self._tries = local()
        self._succeeded_at = -math.inf
        self._general = Limit("limit of 100 requests in 15 seconds", allowed(share), WINDOW, SLACK, DEFAULT_WAIT)
        self.reports = Limit(
            "limit of 100 reports in 15 minutes", allowed(share), REPORTS_WINDOW, REPORTS_SLACK, REPORTS_DEFAULT_WAIT
        )

    def limit_for(self, request: requests.PreparedRequest) -> Limit:
        """The limit that a request counts against."""
        return self.reports if "/reports/" in urlsplit(str(request.url)).path else self._general

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        limit = self.limit_for(request)
        while True:
            self._gate.check()
            limit.wait(self._gate)
            # A report is let in for the request alone, or its wait of minutes would keep others out. By the time that
            # it is in, another may have been refused.
            with self._gate.entered() if limit is self.reports else nullcontext():
                turn = limit.take()
                if turn is None:
                    continue
                self._tries.began = time.monotonic()
                response = super().send(request, **kwargs)
                limit.answered(turn)
                if response.status_code != 429:
                    return self._noted(response)
                limit.refuse(response)

    @override
    def ask(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        ask = partial(super().ask, request, **kwargs)
        if not isinstance(self.auth, HarvestOAuth):
            return ask()
        return self.auth.answer(request, ask, partial(self.limit_for(request).count, self._gate))

    def _noted(self, response: requests.Response) -> requests.Response:
        if response.status_code == 200:
            self._succeeded_at = time.monotonic()
        return response

    @property
    def is_answered(self) -> bool:
        """Whether a request succeeded since this thread began its last try, which failed."""
        return self._succeeded_at >= float(self._tries.began)
