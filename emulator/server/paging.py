"""Pages of rows and the envelope around them, in both of Harvest's paging styles: by cursor and by number."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from emulator.server.errors import unprocessable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emulator.account.state import Row
    from emulator.server.endpoints import Endpoint

MAXIMUM = 2000


class Page:
    """The page of a list that a query asks for. Raises `RefusedError` for an invalid `per_page`, `page` or `cursor`."""

    def __init__(self, endpoint: Endpoint, rows: Sequence[Row], params: Mapping[str, str], cap: int) -> None:
        self._style = endpoint.style
        self._query = {key: value for key, value in params.items() if key not in _NOT_COPIED}
        asked = _positive(params, "per_page", endpoint.per_page)
        if asked > MAXIMUM:
            raise unprocessable(f"per_page must be less than or equal to {MAXIMUM}")
        self.size = min(asked, cap)
        self._total = len(rows)
        self._pages = max(1, -(-self._total // self.size))
        self._cursor = params.get("cursor") if endpoint.style == "cursor" else None
        if self._cursor:
            start, self._number = _position(rows, self._cursor)
        else:
            self._number = _positive(params, "page", 1)
            start = (self._number - 1) * self.size
        self.rows = rows[start : start + self.size]
        self._has_next = start + self.size < self._total

    def envelope(self, url: str, *, totals_in_the_middle: bool) -> dict[str, Any]:
        """The keys after the rows, in the observed order."""
        if self._style == "number":
            following = self._number + 1 if self._has_next else None
            return {"per_page": self.size, "total_entries": self._total, "next_page": following, "page": self._number}
        in_the_middle = self._cursor is not None and self._has_next
        number = self._number if not self._cursor else self._pages
        has_totals = totals_in_the_middle or not in_the_middle
        return {
            "per_page": self.size,
            "total_pages": self._pages if has_totals else None,
            "total_entries": self._total if has_totals else None,
            "next_page": None if in_the_middle or not self._has_next else number + 1,
            "previous_page": None if in_the_middle or number == 1 else number - 1,
            "page": None if in_the_middle else number,
            "links": {
                "first": self._link(url, page=1, ref="first"),
                "next": self._next(url) if self._has_next else None,
                "previous": (None if self._cursor or number == 1 else self._link(url, page=number - 1, ref="previous")),
                "last": self._link(url, page=self._pages, ref="last"),
            },
        }

    def _next(self, url: str) -> str:
        if self._style == "page":
            return self._link(url, page=self._number + 1, ref="next")
        after = {"after": _cursor_values(self.rows[-1]), "page": self._number + 1}
        return self._link(url, cursor=base64.b64encode(orjson.dumps(after)).decode(), ref="next_cursor")

    def _link(self, url: str, **own: str | int) -> str:
        return f"{url}?{urlencode(sorted({**self._query, 'per_page': self.size, **own}.items()))}"


# Parameters that are not copied into a link: it sets them itself, or they are credentials.
_NOT_COPIED = {"page", "per_page", "cursor", "ref", "access_token", "account_id"}


def _positive(params: Mapping[str, str], key: str, default: int) -> int:
    text = params.get(key) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise unprocessable(f"{key} must be a positive number")
    return int(text)


def page_number(params: Mapping[str, str]) -> int | None:
    """The number of the page that a query asks for, by number or by cursor; None if the query is invalid."""
    if "cursor" in params:
        decoded = _decode(params["cursor"])
        return decoded["page"] if decoded else None
    text = params.get("page", "1")
    return int(text) if text.isdecimal() else None


def _cursor_values(row: Row) -> dict[str, Any]:
    """The sort key that a cursor holds: the date and id of a rate, the id of any other row."""
    rate = {"start_date": row["start_date"]} if "start_date" in row else {}
    return {**rate, "id": row["id"]}


def _key(values: Row) -> tuple[Any, ...]:
    return (values["start_date"] or "", values["id"]) if "start_date" in values else (-values["id"],)


def _position(rows: Sequence[Row], cursor: str) -> tuple[int, int]:
    """The index of the first row after the cursor, even if the cursor's row was deleted, and the page's number."""
    decoded = _decode(cursor)
    if decoded is None:
        raise unprocessable("cursor is not valid")
    return bisect_right(rows, _key(decoded["after"]), key=lambda row: _key(_cursor_values(row))), decoded["page"]


def _decode(cursor: str) -> dict[str, Any] | None:
    try:
        decoded = orjson.loads(base64.b64decode(cursor, validate=True))
        return decoded if {"after", "page"} <= decoded.keys() else None
    except (ValueError, AttributeError, binascii.Error):
        return None
