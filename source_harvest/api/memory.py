"""Limits how many bytes of responses are in memory at one time."""

from collections.abc import Callable
from threading import Condition

from typing_extensions import Self


class MemoryLimit:
    """A limit of `most` bytes, which one holder at a time may exceed, so that none waits for ever."""

    def __init__(self, most: int, share: int, check: Callable[[], None]) -> None:
        """A holder of at most `share` bytes never waits. `check` raises once the sync is aborted."""
        self._most = most
        self._share = share
        self._check = check
        self._changed = Condition()
        self._taken = 0
        self._over_limit: MemoryHold | None = None

    def take(self, hold: "MemoryHold", size: int) -> None:
        """Counts `size` more bytes for a holder, and waits until there is room for them."""
        self._check()
        with self._changed:
            self._taken += size
            hold.size += size
            while not self._may_go_on(hold):
                self._changed.wait(timeout=1)
                self._check()

    def give_back(self, hold: "MemoryHold") -> None:
        """Frees all bytes of a holder."""
        with self._changed:
            self._taken -= hold.size
            hold.size = 0
            if self._over_limit is hold:
                self._over_limit = None
            self._changed.notify_all()

    def _may_go_on(self, hold: "MemoryHold") -> bool:
        if self._taken <= self._most or hold.size <= self._share:
            return True
        self._over_limit = self._over_limit or hold
        return self._over_limit is hold


class MemoryHold:
    """The bytes that one response takes; freed after the `with` block."""

    def __init__(self, limit: MemoryLimit) -> None:
        self.size = 0
        self._limit = limit

    def take(self, size: int) -> None:
        """Takes `size` more bytes; waits until there is room for them.

        Raises what the limit's `check` raises.
        """
        self._limit.take(self, size)

    def give_back(self) -> None:
        """Frees the bytes; may be called twice."""
        self._limit.give_back(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()
