"""Harvest's answers: one page of a list, its rows, where the next page is, and when it was written."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import requests

from source_harvest.api.delivered_rows import NumberSet, Row
from source_harvest.api.session import object_of
from source_harvest.api.timestamps import sent_at, timestamp

# Without Harvest's clock the local one serves, set back by more than two well-kept clocks differ.
LOCAL_CLOCK_ALLOWANCE = timedelta(minutes=5)


__all__ = ["Page", "PageCounter", "Row", "sent_at"]


@dataclass(frozen=True)
class Page:
    """One page of one of Harvest's lists."""

    rows: list[Row]
    entries: int | None
    """Of the whole list, where Harvest says so."""
    next_url: str | None
    sent: datetime | None
    """By Harvest's own clock, where it says."""
    moment: datetime
    """When Harvest began to work on it: `sent`, or else by the local clock, less the seconds that the answer took."""

    @classmethod
    def of(cls, response: requests.Response, list_key: str | None, identified_by: tuple[str, ...] = ("id",)) -> Page:
        """The page in a successful answer, whose rows those fields tell apart. Without a list key it is a single row.

        Raises `ValueError` where the answer is not such a page: half an envelope is never an empty list.
        """
        body = object_of(response)
        if list_key is None:
            list_key, body = "answer", {"answer": [body], "links": {"next": None}}
        rows = _rows(body.get(list_key), list_key, identified_by)
        links, entries = body.get("links"), body.get("total_entries")
        if not isinstance(links, dict) or not isinstance(links.get("next", 0), str | None):
            raise ValueError('it has no link "next", so the end of the list cannot be told')
        if not isinstance(entries, int | None):
            raise ValueError('its "total_entries" is no whole number')
        sent = sent_at(response)
        # Without Harvest's clock the local one serves, set back.
        moment = sent or datetime.now(timezone.utc).replace(microsecond=0) - LOCAL_CLOCK_ALLOWANCE
        return cls(
            rows=rows,
            entries=entries,
            next_url=links["next"],
            sent=sent,
            moment=moment - timedelta(seconds=int(response.elapsed.total_seconds())),
        )


def _rows(rows: Any, list_key: str, identified_by: tuple[str, ...]) -> list[Row]:
    if not isinstance(rows, list):
        raise ValueError(f'it has no list "{list_key}"')
    for field in identified_by:
        kind, text = (int, "a whole number") if field.endswith("id") else (str, "text")
        if not all(isinstance(row, dict) and type(row.get(field)) is kind for row in rows):
            raise ValueError(f'its list "{list_key}" has an entry without an {field} that is {text}')
    return rows


class PageCounter:
    """Counts the entries of a list as its pages come, to tell whether some slipped from one page to another.

    A row that was deleted and the row that its absence made slip past cancel out in the last page's count alone, so
    the first page's counts too. A row that came into the list meanwhile may stand in for one that slipped past, so it
    leaves a doubt: a new one, and in a list that is filtered also an old one that changed.
    """

    def __init__(
        self, identity: Callable[[Row], Hashable], before: PageCounter | None = None, *, is_filtered: bool
    ) -> None:
        """`identity` tells rows apart. `before` is the counter of the reading before, where the list is read again."""
        self._identity = identity
        self.ids: NumberSet = NumberSet()
        self._before: NumberSet = before.ids if before else NumberSet()
        self._is_first = before is None
        self._on_first_page: set[int] = set()
        self._column = "updated_at" if is_filtered else "created_at"
        self._began: str | None = None
        self._announced: list[int] = []
        self._pages = 0
        self._has_newcomers = False
        self._has_others = False

    def add(self, page: Page) -> None:
        """One page more."""
        self._pages += 1
        ids = [hash(self._identity(row)) for row in page.rows]
        if self._began is None:
            self._began = timestamp(page.moment)
            self._on_first_page = set(ids)
        elif not self._has_newcomers:
            newcomers = (id_ for id_, row in zip(ids, page.rows, strict=True) if self._is_later(row))
            self._has_newcomers = any(id_ not in self._on_first_page and id_ not in self._before for id_ in newcomers)
        if not self._is_first and not self._has_others:
            self._has_others = any(id_ not in self._before for id_ in ids)
        for id_ in ids:
            self.ids.add(id_)
        if page.entries is not None:
            self._announced.append(page.entries)

    def _is_later(self, row: Row) -> bool:
        return str(row.get(self._column) or "") >= (self._began or "")

    @property
    def is_complete(self) -> bool:
        """Whether as many different entries came as the first and the last page announced, and none came meanwhile."""
        if not self._announced:
            return True
        return len(self.ids) == self._announced[0] == self._announced[-1] and not self._has_newcomers

    @property
    def is_certain(self) -> bool:
        """Whether that can be told: where a list has several pages, by their announcements alone."""
        return self._pages == 1 or bool(self._announced)

    @property
    def is_as_before(self) -> bool:
        """Whether nothing came or went since the reading before, so that the announced numbers must be wrong."""
        return not self._is_first and not self._has_others and len(self.ids) == len(self._before)

    def __str__(self) -> str:
        first, last = self._announced[0], self._announced[-1]
        changing = ", and some came while it was read" if self._has_newcomers else ""
        return f"{len(self.ids)} entries were found, the first page announced {first} and the last {last}{changing}"
