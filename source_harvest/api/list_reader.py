"""Reads one of Harvest's lists page by page, and again if rows came or went meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from threading import Lock
from typing import Any, ClassVar, Protocol

import requests
from airbyte_cdk.models import FailureType

from source_harvest.api.account import HarvestAccount
from source_harvest.api.address import is_same_origin
from source_harvest.api.auth import REQUEST_KWARGS
from source_harvest.api.delivered_rows import DeliveredRows
from source_harvest.api.error_handler import TRIES
from source_harvest.api.page_size import PageSize
from source_harvest.api.pages import Page, PageCounter
from source_harvest.api.session import json_response, quote
from source_harvest.api.timestamps import Row
from source_harvest.errors import GoneMidwayError, HarvestError, Place, TriesUsedUpError, schema_errors

logger = logging.getLogger("airbyte")

# Tries of a smaller page near the position where a larger one failed.
TRIES_OF_SMALLER = 2

# The keys of a slice that are query filters.
FILTERS = ("updated_since", "from", "to", "include_fixed_fee", "is_running")

# The most readings of a list that changes while it is read.
READINGS = 3

Slice = Mapping[str, Any]
"""Which pages to read: query filters, and the parent id for a child list."""
Token = Mapping[str, Any] | None
"""The address of the next page, under "url"; None for the first page."""


class SmallerPagesError(Exception):
    """Harvest failed to send a page of this size. When the list is read again, its pages will be smaller."""


class _PagedList(Protocol):
    """What a `ListReader` needs to know about a list; `HarvestStream` documents it."""

    identified_by: ClassVar[tuple[str, ...]]
    may_have_smaller_pages: ClassVar[bool]
    identity: Callable[[Row], Hashable]
    """Tells the list's rows apart."""

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> Place: ...

    @property
    def list_key(self) -> str | None: ...

    def first_path(self, stream_slice: Slice) -> str: ...

    def request_params(self, stream_state: None, stream_slice: Slice, next_page_token: Token) -> Mapping[str, Any]: ...

    def page_of(self, response: requests.Response) -> Page: ...

    def asks_again(self, stream_slice: Slice, status: int, times: int) -> bool: ...


class ListReader:
    """Reads one list for one sync."""

    def __init__(self, account: HarvestAccount, of: _PagedList) -> None:
        self._account = account
        self._list = of
        self._lock = Lock()
        self.requests = 0
        self._client = account.client
        self._api_url = account.client.settings.api_url
        self.page_size = account.client.once(("page size", of.place.name), PageSize)

    def count_request(self) -> None:
        """Counts a request for the list."""
        with self._lock:
            self.requests += 1

    def probe(self, place: Place, stream_slice: Slice) -> None:
        """Requests a single row, to check that the list can be read. Errors name `place`. Raises `HarvestError`."""
        with self._account.explained(place):
            path = self._list.first_path(stream_slice)
            query = f"{'&' if '?' in path else '?'}per_page=1" if self._list.list_key else ""
            self._client.get_once(f"{self._api_url}/{path}{query}", place, self.read_page)

    def complete_pages(
        self, stream_slice: Slice, in_doubt: Callable[[], None], again: Callable[[], None] = lambda: None
    ) -> Iterator[Page]:
        """The pages of a list; again from the first if rows came or went meanwhile, so rows may come twice.

        Calls `again` before each new reading, and `in_doubt` if rows may be missing. Raises `HarvestError`.
        """
        counter_after = partial(PageCounter, self._list.identity, is_filtered=any(map(stream_slice.get, FILTERS)))
        counter, left = counter_after(None), READINGS
        while True:
            left -= 1
            try:
                yield from self._pages(stream_slice, counter)
            except SmallerPagesError:
                left += 1
            except GoneMidwayError:  # the first page tells whether the parent was deleted
                if not left:
                    raise
            else:
                if counter.is_settled or not left:
                    break
            again()
            counter = counter_after(counter)
        self._tell_incomplete(counter, in_doubt)

    def new_pages(self, stream_slice: Slice, in_doubt: Callable[[], None] = lambda: None) -> Iterator[Page]:
        """As `complete_pages`, but no row comes twice. Raises `HarvestError`."""
        delivered = DeliveredRows(self._list.identity)
        for page in self.complete_pages(stream_slice, in_doubt):
            page.rows[:] = delivered.new(page.rows)
            yield page

    def _pages(self, stream_slice: Slice, counter: PageCounter) -> Iterator[Page]:
        """The pages of a list, first to last; none after a status of `nothing_there`, unless `asks_again`.

        Raises `HarvestError`, or `SmallerPagesError` if the list must be read again.
        """
        token, size, refusals = None, self.page_size.entries, 0
        while True:
            response = self._fetch(stream_slice, token, counter.entries, size)
            if not response.ok:
                if token:
                    raise self._gone_midway(response)
                logger.debug("No rows at %s", response.url)
                refusals += 1
                if self._list.asks_again(stream_slice, response.status_code, refusals):
                    continue
                return
            with response:
                page: Page = json_response(response).meaning
                with schema_errors(self._list.place):
                    counter.add(page)
                yield page
                page.rows.clear()  # frees its memory before the next page is read
            if page.next_url is None:
                return
            token = {"url": page.next_url}

    def _fetch(self, stream_slice: Slice, token: Token, before: int, size: int) -> requests.Response:
        """Requests the page of `size` entries that follows the first `before` entries.

        Raises `SmallerPagesError` if Harvest fails on it but answers other requests; else `HarvestError`.
        """
        self.count_request()
        filters, path = tuple(map(stream_slice.get, FILTERS)), self._list.first_path(stream_slice)
        tries = TRIES_OF_SMALLER if self.page_size.is_on_trial(filters, before) else TRIES
        client = self._client.http_client(self._list.place, self.read_page, tries)
        url = token["url"] if token else f"{self._api_url}/{path}"
        params = self._list.request_params(None, stream_slice, token)
        try:
            with self._account.explained(self._list.place):
                return client.send_request("GET", url, REQUEST_KWARGS, params=params, dedupe_query_params=True)[1]
        except TriesUsedUpError as error:
            has_pages = self._list.list_key is not None and self._list.may_have_smaller_pages
            may_shrink = has_pages and error.failure_type is FailureType.transient_error
            if not (may_shrink and self._client.is_answered() and self.page_size.was_too_much(size, filters, before)):
                raise
            logger.warning(
                "%s: Harvest failed on a page of %d entries, so the list is read again with %d per page",
                *(self._list.name, size, self.page_size.entries),
            )
            raise SmallerPagesError from error

    def read_page(self, response: requests.Response) -> Page:
        """Parses a response as a page.

        Raises `ValueError` if it is none, or if its next page is on another host: only Harvest gets the credentials.
        """
        page = self._list.page_of(response)
        if page.next_url is not None and not is_same_origin(page.next_url, self._api_url):
            raise ValueError("its next page is on another host, which is not given your credentials")
        return page

    def _gone_midway(self, response: requests.Response) -> GoneMidwayError:
        """The error of a list that ends before its last page, as its parent may have been deleted."""
        message = (
            f"Harvest answered {response.status_code} ({quote(response)}) in the middle of a record's "
            f"{self._list.place.name}: the record may have been deleted meanwhile. The next sync tries again."
        )
        return GoneMidwayError(message, FailureType.transient_error, response.status_code)

    def _tell_incomplete(self, counter: PageCounter, in_doubt: Callable[[], None]) -> None:
        """Calls `in_doubt` if rows may be missing after the last reading.

        Raises `HarvestError` if it cannot be told whether the list came to its end.
        """
        if not counter.is_certain:
            in_doubt()
        if counter.is_complete:
            return
        if counter.has_no_sure_end:
            raise HarvestError(
                f"Harvest's list of {self._list.place.name} has no certain end: {counter}. The next sync reads it "
                "again. If it fails too, please report this message.",
                FailureType.transient_error,
            )
        logger.warning("%s: %s", self._list.name, counter)
