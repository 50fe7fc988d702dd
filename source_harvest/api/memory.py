"""How many bytes of Harvest's answers are in memory at one time."""

from collections.abc import Callable
from threading import Condition

from typing_extensions import Self


class MemoryLimit:
    """So many bytes at most, and one more body: one of the holders may always take more, so none waits for ever."""

    def __init__(self, most: int, share: int, check: Callable[[], None]) -> None:
        """A holder of no more than its `share` never waits. `check` raises where waiting has become pointless."""
        self._most = most
        self._share = share
        self._check = check
        self._changed = Condition()
        self._taken = 0
        self._beyond: MemoryHold | None = None

    def take(self, hold: "MemoryHold", size: int) -> None:
        """Counts bytes, and waits until the one who holds them may go on."""
        self._check()
        with self._changed:
            self._taken += size
            hold.size += size
            while not self._may_go_on(hold):
                self._changed.wait(timeout=1)
                self._check()

    def give_back(self, hold: "MemoryHold") -> None:
        """All that is held is free again."""
        with self._changed:
            self._taken -= hold.size
            hold.size = 0
            if self._beyond is hold:
                self._beyond = None
            self._changed.notify_all()

    def _may_go_on(self, hold: "MemoryHold") -> bool:
        if self._taken <= self._most or hold.size <= self._share:
            return True
        self._beyond = self._beyond or hold
        return self._beyond is hold


class MemoryHold:
    """The bytes that one answer takes; none after the `with` block."""

    def __init__(self, limit: MemoryLimit) -> None:
        self.size = 0
        self._limit = limit

    def take(self, size: int) -> None:
        """So many bytes more: waits until there is room.

        Raises what the limit's `check` raises.
        """
        self._limit.take(self, size)

    def give_back(self) -> None:
        """There is room for others again; may be called twice."""
        self._limit.give_back(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()
