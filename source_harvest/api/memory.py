"""Limits how many bytes of responses are in memory at one time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition


@dataclass
class MemoryLimit:
    """A limit of `most` bytes, which one holder at a time may exceed, so that none waits for ever."""

    most: int
    share: int
    """A holder of at most so many bytes never waits."""
    check: Callable[[], None]
    """Raises once the sync is aborted."""
    taken: int = 0
    over_limit: MemoryHold | None = None
    """The holder that exceeds the limit."""
    changed: Condition = field(default_factory=Condition)


class MemoryHold:
    """The bytes that one response takes of a limit, until it is closed."""

    def __init__(self, limit: MemoryLimit) -> None:
        self.size = 0
        self._limit = limit

    def take(self, size: int) -> None:
        """Takes `size` more bytes; waits until there is room for them. Raises what the limit's `check` raises."""
        self._limit.check()
        with self._limit.changed:
            self._limit.taken += size
            self.size += size
            while not self._may_go_on():
                self._limit.changed.wait(timeout=1)
                self._limit.check()

    def _may_go_on(self) -> bool:
        limit = self._limit
        if limit.taken <= limit.most or self.size <= limit.share:
            return True
        limit.over_limit = limit.over_limit or self
        return limit.over_limit is self

    def close(self) -> None:
        """Frees the bytes; may be called twice."""
        limit = self._limit
        with limit.changed:
            limit.taken -= self.size
            self.size = 0
            if limit.over_limit is self:
                limit.over_limit = None
            limit.changed.notify_all()
