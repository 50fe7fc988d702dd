"""Harvest's answers: one page of a list, its rows, where the next page is, and when it was written."""

from collections.abc import Mapping
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

Row = dict[str, Any]

# Without Harvest's clock the local one serves, set back by more than two well-kept clocks differ.
LOCAL_CLOCK_ALLOWANCE = timedelta(minutes=5)


class Answer(requests.Response):
    """A response whose JSON body is parsed once, however many ask for it."""

    @cached_property
    def body(self) -> Any:
        """The parsed body.

        Raises `orjson.JSONDecodeError` where it is not JSON.
        """
        return orjson.loads(self.content)


class AnswerAdapter(HTTPAdapter):
    """Makes each response of a `requests.Session` an `Answer`."""

    @override
    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> Answer:
        answer = Answer()
        answer.__dict__.update(super().build_response(req, resp).__dict__)
        return answer

    @override
    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer.

        Raises `requests.exceptions.InvalidJSONError` where a success is not JSON: a response would be logged whole.
        """
        response = super().send(*args, **kwargs)
        if response.status_code == 200:
            try:
                body_of(response)
            except orjson.JSONDecodeError as error:
                kind = "an HTML page" if b"<html" in response.content[:500].lower() else "not JSON"
                raise InvalidJSONError(f"the answer was {kind}", request=response.request) from error
        return response


def body_of(response: requests.Response) -> Any:
    """The JSON body of a response that an `AnswerAdapter` built.

    Raises `orjson.JSONDecodeError` where it is not JSON.
    """
    if not isinstance(response, Answer):
        raise TypeError(f"an answer is expected, not a {type(response).__name__}")
    return response.body


def moment_of(response: requests.Response) -> datetime:
    """When Harvest began to work on this answer, by Harvest's own clock, in UTC and whole seconds.

    The `Date` header says when the answer was ready, so the whole seconds that it took are taken off.
    Without that header it is the local clock less five minutes.
    """
    try:
        ready = parsedate_to_datetime(response.headers["Date"]).astimezone(timezone.utc)
    except (KeyError, ValueError):
        ready = datetime.now(timezone.utc).replace(microsecond=0) - LOCAL_CLOCK_ALLOWANCE
    return ready - timedelta(seconds=int(response.elapsed.total_seconds()))


@dataclass(frozen=True)
class Page:
    """One page of one of Harvest's lists."""

    rows: list[Row]
    entries: int | None
    """Of the whole list, where Harvest says so."""
    next_url: str | None
    moment: datetime

    @classmethod
    def of(cls, response: requests.Response, list_key: str) -> "Page":
        """The page in a successful answer.

        Raises `ValueError` where the answer is not such a page: half an envelope is never an empty list.
        """
        body = body_of(response)
        if not isinstance(body, Mapping) or not isinstance(body.get(list_key), list):
            raise ValueError(f'it has no list "{list_key}"')
        if not all(isinstance(row, dict) and row.get("id") for row in body[list_key]):
            raise ValueError(f'its list "{list_key}" has an entry without an id')
        links = body.get("links")
        if not isinstance(links, Mapping) or "next" not in links:
            raise ValueError('it has no link "next", so the end of the list cannot be told')
        entries = body.get("total_entries")
        return cls(
            rows=body[list_key],
            entries=entries if isinstance(entries, int) else None,
            next_url=links["next"],
            moment=moment_of(response),
        )


class Tally:
    """Counts the entries of a list as its pages come, to tell whether some slipped from one page to another.

    A row that was deleted and the row that its absence made slip past cancel out in the last page's count alone, so
    the first page's counts too.
    """

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._announced: list[int] = []

    def add(self, page: Page) -> None:
        """One page more."""
        self._ids.update(row["id"] for row in page.rows)
        if page.entries is not None:
            self._announced.append(page.entries)

    @property
    def is_complete(self) -> bool:
        """Whether as many different entries came as the first and the last page announced."""
        return not self._announced or len(self._ids) == self._announced[0] == self._announced[-1]

    def __str__(self) -> str:
        first, last = self._announced[0], self._announced[-1]
        return f"{len(self._ids)} entries were found, the first page announced {first} and the last {last}"
