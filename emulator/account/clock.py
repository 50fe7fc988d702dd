"""The account's clock, from which `Date` headers and `updated_at` are taken."""

from __future__ import annotations

import time
from datetime import datetime, timedelta


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self, start: datetime) -> None:
        self._moment = start

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self._moment

    def advance(self, **duration: float) -> None:
        """Move the clock forward; the arguments are those of `timedelta`: `advance(minutes=5)`."""
        self._moment += timedelta(**duration)


class TickingClock(Clock):
    """A clock that starts at a given moment and runs at the speed of the real one."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._started = time.monotonic()

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self._moment + timedelta(seconds=time.monotonic() - self._started)
