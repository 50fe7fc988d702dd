"""A page of a list, and a counter that tells whether the pages of a list end, and whether they are complete."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import requests

from source_harvest.api.delivered_rows import NumberSet
from source_harvest.api.session import object_of
from source_harvest.api.timestamps import Row, sent_at, timestamp

# Without a `Date` header the local clock is used, set back by more than two well-kept clocks differ.
LOCAL_CLOCK_ALLOWANCE = timedelta(minutes=5)

# A list may grow while it is read: so many pages that bring nothing new, or exceed the total, are accepted.
SPARE_PAGES = 20

# The most pages of a list without a total.
MOST_PAGES = 10_000


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    rows: list[Row]
    entries: int | None
    """Of the whole list, if Harvest gives that total."""
    next_url: str | None
    sent: datetime | None
    """As `sent_at`."""
    moment: datetime
    """When Harvest began to work on it: `sent` or else the local clock, less the seconds that the response took."""
    needs_total: bool = False
    """Whether the list has certainly ended only if as many rows came as its total says."""

    @classmethod
    def of(cls, response: requests.Response, list_key: str | None, identified_by: tuple[str, ...] = ("id",)) -> Page:
        """The page in a successful response, whose rows have the fields `identified_by`. Without `list_key`: one row.

        Raises `ValueError` if the response is no such page: a broken envelope is never an empty list.
        """
        body = object_of(response)
        if list_key is None:
            list_key, body = "answer", {"answer": [body], "links": {"next": None}}
        rows = checked_rows(body.get(list_key), list_key, identified_by)
        links = body.get("links")
        if not isinstance(links, dict) or not isinstance(links.get("next", 0), str | None):
            raise ValueError('it has no link "next", so the end of the list cannot be told')
        return cls.sent_in(response, rows, body.get("total_entries"), links["next"])

    @classmethod
    def sent_in(
        cls,
        response: requests.Response,
        rows: list[Row],
        entries: Any,
        next_url: str | None,
        *,
        needs_total: bool = False,
    ) -> Page:
        """A page of these rows, with the times of its response. Raises `ValueError` if the total is no number."""
        if not isinstance(entries, int | None):
            raise ValueError('its "total_entries" is no whole number')
        sent = sent_at(response)
        moment = sent or datetime.now(timezone.utc).replace(microsecond=0) - LOCAL_CLOCK_ALLOWANCE
        return cls(
            rows=rows,
            entries=entries,
            next_url=next_url,
            sent=sent,
            moment=moment - timedelta(seconds=int(response.elapsed.total_seconds())),
            needs_total=needs_total,
        )


def checked_rows(rows: Any, list_key: str, identified_by: tuple[str, ...]) -> list[Row]:
    """The rows, if they are a list whose entries all have the fields `identified_by`.

    Raises `ValueError` if they are not.
    """
    if not isinstance(rows, list):
        raise ValueError(f'it has no list "{list_key}"')
    for field in identified_by:
        kind, text = (int, "a whole number") if field.endswith("id") else (str, "text")
        if not all(isinstance(row, dict) and type(row.get(field)) is kind for row in rows):
            raise ValueError(f'its list "{list_key}" has an entry without an {field} that is {text}')
    return rows


class PageCounter:
    """Counts the entries of one reading of a list page by page, to tell whether it ends and whether it missed some.

    A row that is deleted meanwhile moves another to a page that was read before. The last page's total lacks the
    deleted row, so it may match; the first page's does not. A row that comes in meanwhile may make up for a missed one,
    so a list with such rows is not complete: rows created since, and in a filtered list also those updated since.
    """

    def __init__(
        self, identity: Callable[[Row], Hashable], before: PageCounter | None = None, *, is_filtered: bool
    ) -> None:
        """`identity` tells rows apart. `before` is the counter of the previous reading, if there was one."""
        self._identity = identity
        self.ids: NumberSet = NumberSet()
        self._before: NumberSet = before.ids if before else NumberSet()
        self._on_first_page: set[int] = set()
        self._column = "updated_at" if is_filtered else "created_at"
        self._began_at: str | None = None
        self._totals: list[int] = []
        self.entries = 0
        """How many came so far, also those that came twice."""
        self._pages = 0
        self._spare_pages = 0
        self._last: list[int] = []
        self._addresses: set[str] = set()
        self._has_newcomers = False
        self._has_others = before is None
        self._needs_total = False

    def add(self, page: Page) -> None:
        """Counts the next page. Raises `ValueError` if the pages do not end."""
        self._pages += 1
        self.entries += len(page.rows)
        self._needs_total |= page.needs_total
        ids = [hash(self._identity(row)) for row in page.rows]
        if self._began_at is None:
            self._began_at = timestamp(page.moment)
            self._on_first_page = set(ids)
        elif not self._has_newcomers:
            newcomers = (id_ for id_, row in zip(ids, page.rows, strict=True) if self._is_newcomer(row))
            self._has_newcomers = any(id_ not in self._on_first_page and id_ not in self._before for id_ in newcomers)
        self._has_others = self._has_others or any(id_ not in self._before for id_ in ids)
        for id_ in ids:
            self.ids.add(id_)
        if page.entries is not None:
            self._totals.append(page.entries)
        self._expect_end(page, is_new=bool(ids) and ids != self._last)
        self._last = ids

    def _expect_end(self, page: Page, *, is_new: bool) -> None:
        """`is_new`: the page has entries, and others than the page before."""
        announced = self._totals[0] if self._totals else None
        if (announced is not None and self.entries > announced) or not is_new:
            self._spare_pages += 1
        if page.next_url is None:
            return
        if page.next_url in self._addresses:
            raise ValueError("a page links back to an earlier one")
        self._addresses.add(page.next_url)
        if self._spare_pages > SPARE_PAGES or (announced is None and self._pages >= MOST_PAGES):
            said = "no number was" if announced is None else f"{announced} were"
            raise ValueError(
                f"its pages do not end: {self.entries} entries came on {self._pages} pages, and {said} announced"
            )

    def _is_newcomer(self, row: Row) -> bool:
        return str(row.get(self._column) or "") >= (self._began_at or "")

    @property
    def is_complete(self) -> bool:
        """Whether the entries match the totals of the first and the last page, if any, and none came in meanwhile."""
        if not self._totals:
            return True
        return len(self.ids) == self._totals[0] == self._totals[-1] and not self._has_newcomers

    @property
    def is_certain(self) -> bool:
        """Whether it is complete, and that can be relied on: several pages must come with a total."""
        return self.is_complete and (self._pages == 1 or bool(self._totals))

    @property
    def has_no_sure_end(self) -> bool:
        """Whether the total must be reached, and other than so many entries came."""
        return self._needs_total and bool(self._totals) and len(self.ids) != max(self._totals)

    @property
    def is_settled(self) -> bool:
        """Whether it is complete, or had the same rows as the previous reading, so that the totals must be wrong."""
        return self.is_complete or not (self._has_others or len(self.ids) != len(self._before))

    def __str__(self) -> str:
        first, last = self._totals[0], self._totals[-1]
        changing = ", and some came while it was read" if self._has_newcomers else ""
        return f"{len(self.ids)} entries were found, the first page announced {first} and the last {last}{changing}"
