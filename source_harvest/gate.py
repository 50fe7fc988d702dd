"""Who may read when: so many at once, and nobody after the sync was given up."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Event


class SyncGivenUpError(Exception):
    """Nobody will look at what a thread still reads."""


class Gate:
    """Lets at most `width` readers in at once, until it is closed for good."""

    def __init__(self, width: int) -> None:
        self._slots = BoundedSemaphore(width)
        self._closed = Event()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Around the reading of one partition.

        Raises `SyncGivenUpError`.
        """
        with self._slots:
            self.check()
            yield

    def check(self) -> None:
        """Raises `SyncGivenUpError` once the gate is closed."""
        if self._closed.is_set():
            raise SyncGivenUpError

    def nap(self, seconds: float) -> None:
        """Waits, but no longer than until the gate is closed.

        Raises `SyncGivenUpError`.
        """
        if self._closed.wait(seconds):
            raise SyncGivenUpError

    def close(self) -> None:
        """Lets no one in any more, and ends the naps of those inside."""
        self._closed.set()
