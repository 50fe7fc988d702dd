"""Who may read when: so many at once, and nobody after the sync was given up."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Event

# A page of 2,000 time entries takes about 30 MB while its rows are handed on, so not all workers read lists at once.
LISTS_AT_ONCE = 4


class SyncGivenUpError(Exception):
    """Nobody will look at what a thread still reads."""


class Gate:
    """Lets at most `width` readers in at once, until it is closed for good."""

    def __init__(self, width: int) -> None:
        self._slots = BoundedSemaphore(width)
        self._lists = BoundedSemaphore(LISTS_AT_ONCE)
        self._closed = Event()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Around the reading of one partition.

        Raises `SyncGivenUpError`.
        """
        with self._slots:
            self.check()
            yield

    @contextmanager
    def entered_for_list(self) -> Iterator[None]:
        """The same for the pages of a list, of which fewer are read at once.

        Raises `SyncGivenUpError`.
        """
        with self._lists, self.entered():
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
