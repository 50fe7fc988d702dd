"""Who may read when: so many at once, and nobody after the sync was given up."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from threading import BoundedSemaphore, Event

from source_harvest.api.memory import MemoryLimit

# Bytes of bodies while they are read. A page of 2,000 time entries has 2 to 3 MB, and each reader may hold its share
# of this whatever the others hold, so that pages of that size wait for no larger or slower ones.
BODIES = 32_000_000

# Bytes of bodies whose rows are handed on, which take about seven times as much. With one more than this, two pages of
# 2,000 time entries are unpacked at once, however many workers wait for Harvest; more would bring nothing, as only one
# can use the processor. What is small never waits.
UNPACKED = 3_000_000
SMALL = 64_000

# Of what may wait for minutes, so much is begun at once, in threads of its own.
LONG_SLOTS = 4


class SyncAbortedError(Exception):
    """Nobody will look at what a thread still reads."""


class RequestSlots:
    """Lets at most `width` readers in at once, until it is closed for good."""

    def __init__(self, width: int) -> None:
        self._slots = BoundedSemaphore(width)
        self._long_slots = BoundedSemaphore(LONG_SLOTS)
        self._closed = Event()
        self.bodies = MemoryLimit(BODIES, BODIES // width, self.check)
        """Of answers that are being read."""
        self.unpacked = MemoryLimit(UNPACKED, SMALL, self.check)
        """Of answers whose rows are handed on, in bytes of their bodies."""

    def slot(self) -> AbstractContextManager[object]:
        """Waits until one more may read; to be held while it does.

        Raises `SyncAbortedError`.
        """
        return self._held(self._slots)

    def long_slot(self) -> AbstractContextManager[object]:
        """As `entered`, for what may itself have to wait for minutes."""
        return self._held(self._long_slots)

    def _held(self, room: BoundedSemaphore) -> AbstractContextManager[object]:
        held = ExitStack()
        held.callback(self._acquired(room))
        return held

    def _acquired(self, room: BoundedSemaphore) -> Callable[[], None]:
        while not room.acquire(timeout=1):
            self.check()
        if self._closed.is_set():
            room.release()
            raise SyncAbortedError
        return room.release

    def check(self) -> None:
        """Raises `SyncAbortedError` once the slots is closed."""
        if self._closed.is_set():
            raise SyncAbortedError

    def wait(self, event: Event) -> None:
        """Waits until something has happened.

        Raises `SyncAbortedError`.
        """
        while not event.wait(timeout=1):
            self.check()

    def nap(self, seconds: float) -> None:
        """Waits, but no longer than until the slots is closed.

        Raises `SyncAbortedError`.
        """
        if self._closed.wait(seconds):
            raise SyncAbortedError

    def close(self) -> None:
        """Lets no one in any more, and ends the naps of those inside."""
        self._closed.set()
