"""The page size to request, and a check that the pages of a list come to an end."""

from collections.abc import Hashable
from threading import Lock

from source_harvest.api.delivered_rows import content_of
from source_harvest.api.pages import Page

# Harvest's largest page size. Always requested, because it is not every list's default.
PER_PAGE = 2000

# If Harvest fails on a page of that size, the list is read again with these, one after the other.
SMALLER = (500, 100)

# A list may grow while it is read: so many pages that bring nothing new, or exceed the total, are accepted.
SPARE_PAGES = 20

# The most pages of a list without a total.
MOST_PAGES = 10_000


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


class Paging:
    """One reading of a list, page after page."""

    def __init__(self) -> None:
        self.entries = 0
        """How many came so far."""
        self._pages = 0
        self._spare_pages = 0
        self._announced: int | None = None
        self._last: Hashable = None
        self._asked: set[str] = set()

    def add(self, page: Page) -> None:
        """Counts the next page.

        Raises `ValueError` if the pages do not end.
        """
        self._pages += 1
        self.entries += len(page.rows)
        if self._announced is None:
            self._announced = page.entries
        is_beyond = self._announced is not None and self.entries > self._announced
        if is_beyond or not self._is_new(page):
            self._spare_pages += 1
        if page.next_url is None:
            return
        if page.next_url in self._asked:
            raise ValueError("its pages lead round in a circle")
        self._asked.add(page.next_url)
        if self._spare_pages > SPARE_PAGES or (self._announced is None and self._pages >= MOST_PAGES):
            announced = "no number was" if self._announced is None else f"{self._announced} were"
            raise ValueError(
                f"its pages do not end: {self.entries} entries came on {self._pages} pages, and {announced} announced"
            )

    def _is_new(self, page: Page) -> bool:
        """Whether the page has entries, and others than the page before."""
        last, self._last = self._last, (content_of(page.rows[0]), content_of(page.rows[-1])) if page.rows else None
        return self._last is not None and self._last != last
