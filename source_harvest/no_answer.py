"""How long a command goes on while Harvest answers none of its requests."""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Thread, local
from typing import TypeVar

T = TypeVar("T")

# A check has to say within 20 seconds that nothing answers. Loading the connector takes some of them.
CHECK_SECONDS = 12.0

# So often a thread that waits for an answer looks whether that takes too long.
SECONDS_BETWEEN_LOOKS = 0.25


class NoAnswerError(Exception):
    """Harvest answered no request for too long, and none of them failed."""


@dataclass
class _Asking:
    """What one thread asks Harvest."""

    address: str = ""
    failure: Exception | None = None
    """Of the last request, where no answer came."""


class NoAnswerLimit:
    """The seconds that may pass without any answer while requests are under way or are to be sent again.

    An answer is a whole one, whatever its status. Waits for a rate limit do not count: an answer came before them.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._under_way = 0
        self._since: float | None = None
        """From when on no answer came; None where none is waited for."""
        self._thread = local()

    @property
    def is_over(self) -> bool:
        """Whether no answer came for too long."""
        since = self._since
        return since is not None and time.monotonic() - since >= self._seconds

    @contextmanager
    def awaiting(self, address: str) -> Iterator[None]:
        """Around one request to that address, until its answer is there; raises what it raises."""
        self._asking.address = address.partition("?")[0]
        with self._lock:
            self._under_way += 1
            self._since = self._since or time.monotonic()
        is_answered = False
        try:
            yield
            is_answered = True
        finally:
            with self._lock:
                self._under_way -= 1
                if is_answered:
                    self._since = time.monotonic() if self._under_way else None

    def note(self, failure: Exception) -> None:
        """Remembers why the last request of its thread had no answer. Raises that failure once the limit is over."""
        self._asking.failure = failure
        if self.is_over:
            raise failure

    def wait_for(self, ask: Callable[[], T]) -> T:
        """What `ask` returns.

        Once the limit is over, raises its last failure or `NoAnswerError`, whatever keeps it: nothing ends the look-up
        of a host's name, so `ask` has a thread of its own, which is left behind.
        """
        if math.isinf(self._seconds):
            return ask()
        asking, answer = _Asking(), Future[T]()
        Thread(target=self._settle, args=(asking, answer, ask), name="request", daemon=True).start()
        while not wait([answer], SECONDS_BETWEEN_LOOKS).done:
            if self.is_over:
                raise asking.failure or NoAnswerError(f"no answer came from {asking.address} in {self._seconds:.0f} s")
        return answer.result()

    def _settle(self, asking: _Asking, answer: "Future[T]", ask: Callable[[], T]) -> None:
        self._thread.asking = asking
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - raised where the answer is waited for
            answer.set_exception(error)

    @property
    def _asking(self) -> _Asking:
        if not hasattr(self._thread, "asking"):
            self._thread.asking = _Asking()
        asking: _Asking = self._thread.asking
        return asking
