"""How a list of Harvest's is read: its pages, first to last, and again where rows came or went meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from threading import Lock
from typing import Any, ClassVar, Protocol

import requests
from airbyte_cdk.models import FailureType

from source_harvest.address import is_same_origin
from source_harvest.api.account import HarvestAccount
from source_harvest.api.auth import REQUEST_KWARGS
from source_harvest.api.delivered_rows import DeliveredRows
from source_harvest.api.page_size import PageSize, Paging
from source_harvest.api.pages import Page, PageCounter, Row
from source_harvest.api.quoting import quote
from source_harvest.api.session import JsonResponse
from source_harvest.errors import GoneMidwayError, Place, TriesUsedUpError, schema_errors

logger = logging.getLogger("airbyte")

# So often is a smaller page asked for at the place where a larger one was too much.
TRIES_OF_SMALLER = 2

FILTERS = ("updated_since", "from", "to")

# How often a list is read that changes while it is read.
READINGS = 3

Slice = Mapping[str, Any]
"""Which pages to read: filters, and for a list below a record that record's id."""
Token = Mapping[str, Any] | None
"""The address of a later page, under "url"."""
Params = MutableMapping[str, Any]


def _ignore() -> None:
    """Nobody wants to know."""


class SmallerPagesError(Exception):
    """A page was too much for Harvest; `pages` will ask for smaller ones when the list is read again."""


class PagedList(Protocol):
    """What its reader has to know of a list."""

    identified_by: ClassVar[tuple[str, ...]]
    identity: Callable[[Row], Hashable]
    """Tells its rows apart."""

    @property
    def name(self) -> str:
        """The stream's."""
        ...

    @property
    def place(self) -> Place:
        """Where it is read, for error messages."""
        ...

    @property
    def list_key(self) -> str | None:
        """Under which key of an answer the rows are; None where the answer is a single record."""
        ...

    @property
    def url_base(self) -> str:
        """The API's address, with a slash at its end."""
        ...

    def first_path(self, stream_slice: Slice) -> str:
        """The path of the first page, below the API's address."""
        ...

    def request_params(self, stream_state: None, stream_slice: Slice, next_page_token: Token) -> Params:
        """The query of a page; empty for a later page, whose address has one."""
        ...

    def asks_again(self, stream_slice: Slice, status: int, times: int) -> bool:
        """Whether a list is asked for again, which answered so many times that nothing is there.

        Raises `HarvestError`.
        """
        ...


class ListReader:
    """Reads a list at Harvest's API for one sync."""

    def __init__(self, account: HarvestAccount, of: PagedList) -> None:
        self._account = account
        self._list = of
        self._lock = Lock()
        self.requests = 0
        self._client = account.client
        self._http_client = account.client.http_client(of.place, self.read_page)
        self._trial_client = account.client.http_client(of.place, self.read_page, TRIES_OF_SMALLER)
        self._page_size = account.client.once(("page size", of.place.name), PageSize)

    @property
    def entries_per_page(self) -> int:
        """How many entries a page is asked for with."""
        return self._page_size.entries

    def count_request(self) -> None:
        """One more request was made for the list."""
        with self._lock:
            self.requests += 1

    def probe(self, place: Place, stream_slice: Slice) -> None:
        """Asks for a single row, to learn whether the list can be read, and what is at that place with it.

        Raises `HarvestError`.
        """
        with self._account.explained(place):
            path = self._list.first_path(stream_slice)
            url = f"{self._list.url_base}{path}{'?per_page=1' if self._list.list_key else ''}"
            self._client.get_once(url, place, self.read_page)

    def complete_pages(
        self, stream_slice: Slice, in_doubt: Callable[[], None] = _ignore, again: Callable[[], None] = _ignore
    ) -> Iterator[Page]:
        """The pages of a list; again from the first where rows came or went meanwhile, so that rows may come twice.

        Calls `again` before they come once more, and `in_doubt` where it cannot be told that they hold all that there
        is. Raises `HarvestError`.
        """
        counter: PageCounter | None = None
        reading = 0
        while reading < READINGS:
            if counter:
                again()
            counter = PageCounter(
                self._list.identity, counter, is_filtered=any(stream_slice.get(name) for name in FILTERS)
            )
            try:
                for page in self.pages(stream_slice):
                    counter.add(page)
                    yield page
            except SmallerPagesError:
                continue
            except GoneMidwayError:
                reading += 1
                if reading == READINGS:
                    raise
                continue  # its first page tells whether the record that it belongs to was deleted
            reading += 1
            if counter.is_complete:
                if not counter.is_certain:
                    in_doubt()
                return
            if counter.is_as_before:
                break
        in_doubt()
        logger.warning("%s: %s", self._list.name, counter)

    def new_pages(self, stream_slice: Slice, in_doubt: Callable[[], None] = _ignore) -> Iterator[Page]:
        """As `complete_pages`, without the rows that came before.

        Raises `HarvestError`.
        """
        delivered = self.delivered_rows()
        for page in self.complete_pages(stream_slice, in_doubt):
            page.rows[:] = delivered.new(page.rows)
            yield page

    def delivered_rows(self) -> DeliveredRows:
        """None yet, of this list."""
        return DeliveredRows(self._list.identity)

    def pages(self, stream_slice: Slice) -> Iterator[Page]:
        """The pages of a list, first to last; none where nothing is there and it is not `asks_again`.

        Raises `HarvestError`, or `SmallerPagesError` where the list is to be read again.
        """
        token, paging, size, refusals = None, Paging(), self._page_size.entries, 0
        while True:
            request, response = self._fetch(stream_slice, token, paging.entries, size)
            if not isinstance(response, JsonResponse) or not response.ok:
                if token:
                    raise self._gone_midway(response)
                logger.debug("Nothing is there: %s", request.url)
                refusals += 1
                if self._list.asks_again(stream_slice, response.status_code, refusals):
                    continue
                return
            with response:
                page: Page = response.meaning
                with schema_errors(self._list.place):
                    paging.add(page)
                yield page
                page.rows.clear()  # or the next page would share the memory with it
            if page.next_url is None:
                return
            token = {"url": page.next_url}

    def _fetch(
        self, stream_slice: Slice, token: Token, before: int, size: int
    ) -> tuple[requests.PreparedRequest, requests.Response]:
        """The answer to the request for the page of that size after so many entries.

        Raises `SmallerPagesError` where it is too much for Harvest, which answers others; else `HarvestError`.
        """
        self.count_request()
        part = tuple(stream_slice.get(name) for name in FILTERS)
        client = self._trial_client if self._page_size.is_on_trial(part, before) else self._http_client
        url = token["url"] if token else f"{self._list.url_base}{self._list.first_path(stream_slice)}"
        params = self._list.request_params(None, stream_slice, token)
        try:
            with self._account.explained(self._list.place):
                return client.send_request("GET", url, REQUEST_KWARGS, params=params, dedupe_query_params=True)
        except TriesUsedUpError as error:
            is_at_top = self._list.list_key is not None and "/" not in self._list.first_path(stream_slice)
            may_pass = is_at_top and error.failure_type is FailureType.transient_error
            if not (may_pass and self._client.is_answered() and self._page_size.was_too_much(size, part, before)):
                raise
            logger.warning(
                "%s: pages of %d entries are too much for Harvest, so the list is read again with %d a page",
                self._list.name,
                size,
                self._page_size.entries,
            )
            raise SmallerPagesError from error

    def read_page(self, response: requests.Response) -> Page:
        """The page that an answer is.

        Raises `ValueError` where it is none, or leads elsewhere: the credentials are sent to no other host.
        """
        page = Page.of(response, self._list.list_key, self._list.identified_by)
        if page.next_url is not None and not is_same_origin(page.next_url, self._list.url_base):
            raise ValueError("its next page is on another host, which is not given your credentials")
        return page

    def _gone_midway(self, response: requests.Response) -> GoneMidwayError:
        """Half a list is never a list, also where the record that it belongs to may have been deleted."""
        said = f"Harvest answered {response.status_code} ({quote(response)})"
        message = (
            f"{said} in the middle of a record's {self._list.place.name}: the record may have been deleted meanwhile. "
            "The next sync takes it up again."
        )
        return GoneMidwayError(message, FailureType.transient_error, response.status_code, said)
