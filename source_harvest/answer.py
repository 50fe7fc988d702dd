"""Harvest's answers: one page of a list, its rows, where the next page is, and when it was written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidJSONError
from typing_extensions import override
from urllib3 import BaseHTTPResponse

from source_harvest.bookmark import timestamp
from source_harvest.delivered import NumberSet, Row
from source_harvest.errors import is_html

__all__ = ["Answer", "AnswerSession", "Page", "Row", "Tally", "body_of", "sent_at"]

# Without Harvest's clock the local one serves, set back by more than two well-kept clocks differ.
LOCAL_CLOCK_ALLOWANCE = timedelta(minutes=5)

# A `Date` of another year than these cannot be: Harvest began in 2006.
YEARS = range(2006, 2101)


class Answer(requests.Response):
    """A response whose JSON body is parsed once, however many ask for it.

    It is to be closed when nobody needs the body any more.
    """

    give_back_room: Callable[[], None] | None = None
    """What the body takes in memory is free again."""

    @cached_property
    def body(self) -> Any:
        """The parsed body.

        Raises `orjson.JSONDecodeError` where it is not JSON.
        """
        body = orjson.loads(self.content)
        self._content = b""  # needed no more, and as large as what came of it
        return body

    @override
    def close(self) -> None:
        give_back, self.give_back_room = self.give_back_room, None
        if give_back:
            give_back()
        super().close()


class AnswerAdapter(HTTPAdapter):
    """Makes each response of a `requests.Session` an `Answer`."""

    @override
    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> Answer:
        answer = Answer()
        answer.__dict__.update(super().build_response(req, resp).__dict__)
        return answer


class AnswerSession(requests.Session):
    """A session whose successful answers are JSON, for certain."""

    def __init__(self, connections: int = 1, make_room: Callable[[], Callable[[], None]] | None = None) -> None:
        """Keeps so many `connections` open.

        `make_room` returns when there is room in memory for one more body, with what gives the room back.
        """
        super().__init__()
        self._make_room = make_room
        for scheme in ("https://", "http://"):
            self.mount(scheme, AnswerAdapter(pool_maxsize=connections))

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The answer.

        Raises `requests.exceptions.InvalidJSONError` where a success is not JSON: a response would be logged whole.
        """
        response = super().send(request, **kwargs)
        if isinstance(response, Answer) and response.status_code == 200:
            response.give_back_room = self._make_room() if self._make_room else None
            try:
                body_of(response)
            except orjson.JSONDecodeError as error:
                response.close()
                kind = "an HTML page" if is_html(response) else "not JSON"
                raise InvalidJSONError(f"the answer was {kind}", request=response.request) from error
        return response


def body_of(response: requests.Response) -> Any:
    """The JSON body of a response that an `AnswerAdapter` built.

    Raises `orjson.JSONDecodeError` where it is not JSON.
    """
    if not isinstance(response, Answer):
        raise TypeError(f"an answer is expected, not a {type(response).__name__}")
    return response.body


def sent_at(response: requests.Response) -> datetime | None:
    """When Harvest sent this answer by its own clock, the `Date` header, in UTC and whole seconds.

    None where there is no such header, or none that can be.
    """
    try:
        sent = parsedate_to_datetime(response.headers["Date"])
        sent = sent.replace(tzinfo=sent.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None
    return sent if sent.year in YEARS else None


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
        body = body_of(response)
        if list_key is None:
            list_key, body = "answer", {"answer": [body], "links": {"next": None}}
        if not isinstance(body, Mapping) or not isinstance(body.get(list_key), list):
            raise ValueError(f'it has no list "{list_key}"')
        ids = [field for field in identified_by if field.endswith("id")]
        if not all(isinstance(row, dict) and all(type(row.get(id_)) is int for id_ in ids) for row in body[list_key]):
            raise ValueError(f'its list "{list_key}" has an entry without an id that is a whole number')
        links = body.get("links")
        if not isinstance(links, Mapping) or "next" not in links:
            raise ValueError('it has no link "next", so the end of the list cannot be told')
        entries, sent = body.get("total_entries"), sent_at(response)
        # Without Harvest's clock the local one serves, set back.
        moment = sent or datetime.now(timezone.utc).replace(microsecond=0) - LOCAL_CLOCK_ALLOWANCE
        return cls(
            rows=body[list_key],
            entries=entries if isinstance(entries, int) else None,
            next_url=links["next"],
            sent=sent,
            moment=moment - timedelta(seconds=int(response.elapsed.total_seconds())),
        )


class Tally:
    """Counts the entries of a list as its pages come, to tell whether some slipped from one page to another.

    A row that was deleted and the row that its absence made slip past cancel out in the last page's count alone, so
    the first page's counts too. A row that came into the list meanwhile may stand in for one that slipped past, so it
    leaves a doubt: a new one, and in a list that is filtered also an old one that changed.
    """

    def __init__(self, identity: Callable[[Row], Hashable], before: Tally | None = None, *, is_filtered: bool) -> None:
        """`identity` tells rows apart. `before` is the tally of the reading before, where the list is read again."""
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
        return (row.get(self._column) or "") >= (self._began or "")

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
