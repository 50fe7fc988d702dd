"""Limits how long a command goes on while Harvest answers none of its requests."""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Thread, local
from typing import TypeVar

T = TypeVar("T")

# A check must report within 20 seconds that Harvest does not answer. Loading the connector takes some of them.
CHECK_SECONDS = 12.0

# How often a thread that waits for a response checks the limit.
SECONDS_BETWEEN_LOOKS = 0.25


class NoAnswerError(Exception):
    """No response came within the limit, and no request failed."""


@dataclass
class _LastRequest:
    """The last request of one thread."""

    address: str = ""
    failure: Exception | None = None
    """Why no response came; None if there was no such failure."""


class _Thread(local):
    """What belongs to one thread."""

    last = _LastRequest()  # shared by the threads of which nobody asks it


class NoAnswerLimit:
    """The seconds that may pass without any response while requests are running or wait for a retry.

    Only complete responses count, whatever their status. Waits for a rate limit take no time from it: they follow a
    response.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._running = 0
        self._since: float | None = None
        """Since when no response came, by the monotonic clock; None if none is awaited."""
        self._thread = _Thread()

    @property
    def is_over(self) -> bool:
        """Whether no response came within the limit."""
        since = self._since
        return since is not None and time.monotonic() - since >= self._seconds

    @contextmanager
    def awaiting(self, address: str) -> Iterator[None]:
        """Wraps one request to that address, until its response is complete."""
        self._thread.last.address = address.partition("?")[0]
        with self._lock:
            self._running += 1
            self._since = self._since or time.monotonic()
        is_answered = False
        try:
            yield
            is_answered = True
        finally:
            with self._lock:
                self._running -= 1
                if is_answered:
                    self._since = time.monotonic() if self._running else None

    def note(self, failure: Exception) -> None:
        """Records why this thread's last request got no response. Raises that failure once the limit is over."""
        self._thread.last.failure = failure
        if self.is_over:
            raise failure

    def wait_for(self, ask: Callable[[], T]) -> T:
        """What `ask` returns.

        Once the limit is over, raises its last failure or `NoAnswerError`. `ask` runs in a thread of its own, which is
        then left running: a DNS lookup cannot be aborted.
        """
        if math.isinf(self._seconds):
            return ask()
        last, future = _LastRequest(), Future[T]()
        Thread(target=self._run, args=(last, future, ask), name="request", daemon=True).start()
        while not wait([future], SECONDS_BETWEEN_LOOKS).done:
            if self.is_over:
                raise last.failure or NoAnswerError(f"no answer came from {last.address} in {self._seconds:.0f} s")
        return future.result()

    def _run(self, last: _LastRequest, future: "Future[T]", ask: Callable[[], T]) -> None:
        self._thread.last = last
        try:
            future.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - raised by `wait_for`
            future.set_exception(error)
