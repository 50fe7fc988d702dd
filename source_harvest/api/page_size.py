"""The page size to request."""

from collections.abc import Hashable
from threading import Lock

# Harvest's largest page size. Always requested, because it is not every list's default.
PER_PAGE = 2000

# If Harvest fails on a page of that size, the list is read again with these, one after the other.
SMALLER = (500, 100)


class PageSize:
    """The page size of one list, which shrinks when Harvest fails on a page."""

    def __init__(self) -> None:
        self.entries = PER_PAGE
        self._lock = Lock()
        self._too_much: dict[Hashable, int] = {}

    def is_on_trial(self, part: Hashable, before: int) -> bool:
        """Whether Harvest failed on a page near this position: `before` entries into that part of the list."""
        position = self._too_much.get(part)
        return position is not None and abs(before - position) <= PER_PAGE

    def was_too_much(self, entries: int, part: Hashable, before: int) -> bool:
        """Records that Harvest failed on a page of `entries` there; returns whether pages are smaller now."""
        with self._lock:
            self._too_much[part] = before
            self.entries = next((size for size in SMALLER if size < entries and size <= self.entries), self.entries)
            return self.entries < entries
