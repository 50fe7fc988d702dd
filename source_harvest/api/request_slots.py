"""Semaphores that limit how many threads read at once, limits on their memory, and a flag that aborts them."""

from contextlib import AbstractContextManager, ExitStack
from threading import BoundedSemaphore, Event

from source_harvest.api.memory import MemoryLimit

# Bytes of bodies that are being read. A page of 2,000 time entries has 2 to 3 MB. Each thread may always hold its share
# of this, so that pages of that size never wait for larger or slower ones.
BODIES = 32_000_000

# Bytes of bodies whose rows are being delivered; parsed, they take about seven times as much. One body may exceed this,
# so two pages of 2,000 time entries are parsed at once, however many workers there are. More would not be faster, as
# only one thread can use the processor. Bodies up to SMALL never wait.
UNPACKED = 3_000_000
SMALL = 64_000

# How many slices that may wait for minutes are read at once, in slots of their own.
LONG_SLOTS = 4


class SyncAbortedError(Exception):
    """The sync was aborted, so what this thread reads is no longer needed."""


class RequestSlots:
    """Lets at most `width` threads read at once, until it is closed for good."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._slots = BoundedSemaphore(width)
        self._long_slots = BoundedSemaphore(LONG_SLOTS)
        self._closed = Event()
        self.bodies = MemoryLimit(BODIES, BODIES // width, self.check)
        """For bodies that are being read."""
        self.unpacked = MemoryLimit(UNPACKED, SMALL, self.check)
        """For bodies whose rows are being delivered."""

    def slot(self, *, is_long: bool = False) -> AbstractContextManager[object]:
        """Waits for a slot, or for a long one; leaving the `with` block releases it. Raises `SyncAbortedError`."""
        slots = self._long_slots if is_long else self._slots
        while not slots.acquire(timeout=1):
            self.check()
        with ExitStack() as held:
            held.callback(slots.release)
            self.check()
            return held.pop_all()

    def check(self) -> None:
        """Raises `SyncAbortedError` once closed."""
        if self._closed.is_set():
            raise SyncAbortedError

    def wait(self, event: Event) -> None:
        """Waits for the event. Raises `SyncAbortedError`."""
        while not event.wait(timeout=1):
            self.check()

    def nap(self, seconds: float) -> None:
        """Waits so many seconds. Raises `SyncAbortedError` as soon as closed."""
        if self._closed.wait(seconds):
            raise SyncAbortedError

    def close(self) -> None:
        """Aborts the sync: no thread gets a slot any more, and all waits end."""
        self._closed.set()
