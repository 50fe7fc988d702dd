"""How many entries of a list are asked for on a page, and whether its pages come to an end."""

from collections.abc import Hashable
from threading import Lock

from source_harvest.api.delivered_rows import content_of
from source_harvest.api.pages import Page

# The most entries that Harvest puts on a page; asked for always, because not every list has it as its default.
PER_PAGE = 2000

# Where pages of that size are too much for Harvest, the list is read again with these, one after the other.
SMALLER = (500, 100)

# A list may grow while it is read: so many pages that bring nothing new, or more than was announced, are believed.
SPARE_PAGES = 20

# Where nothing is announced, no list has more pages than this.
MOST_PAGES = 10_000


class PageSize:
    """How many entries of one list are asked for on a page: fewer where more were too much for Harvest."""

    def __init__(self) -> None:
        self.entries = PER_PAGE
        self._lock = Lock()
        self._too_much: dict[Hashable, int] = {}

    def is_on_trial(self, part: Hashable, before: int) -> bool:
        """Whether a larger page was too much near that place: `before` entries came before it of that part."""
        at = self._too_much.get(part)
        return at is not None and abs(before - at) <= PER_PAGE

    def was_too_much(self, entries: int, part: Hashable, before: int) -> bool:
        """So many were too much for Harvest at that place; says whether fewer will be asked for now."""
        with self._lock:
            self._too_much[part] = before
            self.entries = next((size for size in SMALLER if size < entries and size <= self.entries), self.entries)
            return self.entries < entries


class Paging:
    """One reading of a list, page after page."""

    def __init__(self) -> None:
        self.entries = 0
        """How many came until now."""
        self._pages = 0
        self._spare_pages = 0
        self._announced: int | None = None
        self._last: Hashable = None
        self._asked: set[str] = set()

    def add(self, page: Page) -> None:
        """One page more, as it came.

        Raises `ValueError` where it leads on though all that there can be has come.
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
        """Whether it has entries, and others than the page before."""
        last, self._last = self._last, (content_of(page.rows[0]), content_of(page.rows[-1])) if page.rows else None
        return self._last is not None and self._last != last
