"""How a list of Harvest's is asked for: its place, its filters and its pages, first to last."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping
from operator import itemgetter
from threading import Lock
from typing import Any, ClassVar

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http import HttpStream
from typing_extensions import override

from source_harvest.address import is_same_origin
from source_harvest.answer import Page, Row, Tally
from source_harvest.auth import REQUEST_KWARGS
from source_harvest.bookmark import second_before
from source_harvest.delivered import DeliveredRows
from source_harvest.errors import GoneMidwayError, Place, TriesUsedUpError, as_documented, quote
from source_harvest.paging import PageSize, Paging
from source_harvest.session import Answer
from source_harvest.transport import Transport

# So often is a smaller page asked for at the place where a larger one was too much.
TRIES_OF_SMALLER = 2

FILTERS = ("updated_since", "from", "to")

# How often a list is read that changes while it is read.
READINGS = 3

Slice = Mapping[str, Any]
"""What a series of pages is of: filters, and for a list below a record that record's id."""


def _ignore() -> None:
    """Nobody wants to know."""


class SmallerPagesError(Exception):
    """A page was too much for Harvest; `pages` will ask for smaller ones when the list is read again."""


class Resource(HttpStream):
    """A list at Harvest's API. An instance serves one read."""

    resource: ClassVar[str] = ""
    """The path below the API's address, which is also the list key. Empty: the stream's name."""
    readable_by: ClassVar[str] = "Administrators"
    """Which users Harvest lets read the list."""
    module: ClassVar[str] = ""
    """The module of Harvest's that the list belongs to, if it can be switched off: "invoice" for `invoice_feature`."""
    identified_by: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that tell the rows of one list apart."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport
        self._lock = Lock()
        self.requests = 0
        self._http_client = transport.client(self.place, self.read_page)
        self._trial_client = transport.client(self.place, self.read_page, TRIES_OF_SMALLER)
        self._page_size = transport.once(("page size", self.place.name), PageSize)
        fields = self.identified_by
        self._identity: Callable[[Row], Hashable] = itemgetter(*fields)

    def probe(self, place: Place | None = None) -> None:
        """Asks for a single row, to learn whether the list can be read, and what is at that place with it.

        Raises `HarvestError`.
        """
        place = place or self.place
        with self._transport.explained(place):
            path = self.first_path(self.any_slice())
            url = f"{self.url_base}{path}{'?per_page=1' if self.list_key else ''}"
            self._transport.get_once(url, place, self.read_page)

    def any_slice(self) -> Slice:
        """One of its slices."""
        return {}

    def complete_pages(
        self, stream_slice: Slice, in_doubt: Callable[[], None] = _ignore, again: Callable[[], None] = _ignore
    ) -> Iterator[Page]:
        """The pages of a list; again from the first where rows came or went meanwhile, so that rows may come twice.

        Calls `again` before they come once more, and `in_doubt` where it cannot be told that they hold all that there
        is. Raises `HarvestError`.
        """
        tally: Tally | None = None
        reading = 0
        while reading < READINGS:
            if tally:
                again()
            tally = Tally(self._identity, tally, is_filtered=any(stream_slice.get(name) for name in FILTERS))
            try:
                for page in self.pages(stream_slice):
                    tally.add(page)
                    yield page
            except SmallerPagesError:
                continue
            except GoneMidwayError:
                reading += 1
                if reading == READINGS:
                    raise
                continue  # its first page tells whether the record that it belongs to was deleted
            reading += 1
            if tally.is_complete:
                if not tally.is_certain:
                    in_doubt()
                return
            if tally.is_as_before:
                break
        in_doubt()
        self.logger.warning("%s: %s", self.name, tally)

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
        return DeliveredRows(self._identity)

    def pages(self, stream_slice: Slice) -> Iterator[Page]:
        """The pages of a list, first to last; none where nothing is there and it is not `asks_again`.

        Raises `HarvestError`, or `SmallerPagesError` where the list is to be read again.
        """
        token, paging, size, refusals = None, Paging(), self._page_size.entries, 0
        while True:
            request, response = self._fetch(stream_slice, token, paging.entries, size)
            if not isinstance(response, Answer) or not response.ok:
                if token:
                    raise self._gone_midway(response)
                self.logger.debug("Nothing is there: %s", request.url)
                refusals += 1
                if self.asks_again(stream_slice, response.status_code, refusals):
                    continue
                return
            with response:
                page: Page = response.meaning
                with as_documented(self.place):
                    paging.add(page)
                yield page
                page.rows.clear()  # or the next page would share the memory with it
            if page.next_url is None:
                return
            token = {"url": page.next_url}

    def _fetch(
        self, stream_slice: Slice, token: Mapping[str, Any] | None, before: int, size: int
    ) -> tuple[requests.PreparedRequest, requests.Response]:
        """The answer to the request for the page of that size after so many entries.

        Raises `SmallerPagesError` where it is too much for Harvest, which answers others; else `HarvestError`.
        """
        with self._lock:
            self.requests += 1
        part = tuple(stream_slice.get(name) for name in FILTERS)
        client = self._trial_client if self._page_size.is_on_trial(part, before) else self._http_client
        url = self._join_url(self.url_base, self.path(stream_slice=stream_slice, next_page_token=token))
        params = self.request_params(None, stream_slice, token)
        try:
            with self._transport.explained(self.place):
                return client.send_request("GET", url, REQUEST_KWARGS, params=params, dedupe_query_params=True)
        except TriesUsedUpError as error:
            is_at_top = self.list_key is not None and "/" not in self.first_path(stream_slice)
            may_pass = is_at_top and error.failure_type is FailureType.transient_error
            if not (may_pass and self._transport.is_answered() and self._page_size.was_too_much(size, part, before)):
                raise
            self.logger.warning(
                "%s: pages of %d entries are too much for Harvest, so the list is read again with %d a page",
                self.name,
                size,
                self._page_size.entries,
            )
            raise SmallerPagesError from error

    def asks_again(self, stream_slice: Slice, status: int, times: int) -> bool:
        """Whether a list below a record is asked for again, which answered so many times that nothing is there.

        Raises `HarvestError`.
        """
        return False

    @property
    def place(self) -> Place:
        """Where it is read, for error messages."""
        return Place(self.resource or self.name, self.readable_by, module=self.module)

    @property
    def list_key(self) -> str | None:
        """Under which key of an answer the rows are; None where the answer is a single record."""
        return self.resource or self.name

    @property
    @override
    def url_base(self) -> str:
        return f"{self._transport.settings.api_url}/"

    @override
    def path(
        self,
        *,
        stream_state: Mapping[str, Any] | None = None,
        stream_slice: Slice | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> str:
        return next_page_token["url"] if next_page_token else self.first_path(stream_slice or {})

    def first_path(self, stream_slice: Slice) -> str:
        """The path of the first page, below the API's address."""
        return self.resource or self.name

    @override
    def request_params(
        self,
        stream_state: Mapping[str, Any] | None,
        stream_slice: Slice | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> MutableMapping[str, Any]:
        if next_page_token or self.list_key is None:
            return {}
        filters = {name: value for name, value in (stream_slice or {}).items() if value and name in FILTERS}
        if "updated_since" in filters:
            filters["updated_since"] = second_before(filters["updated_since"])
        return {"per_page": self._page_size.entries, **filters}

    @override
    def next_page_token(self, response: requests.Response) -> Mapping[str, Any] | None:
        url = self.read_page(response).next_url
        return None if url is None else {"url": url}

    @override
    def parse_response(
        self,
        response: requests.Response,
        *,
        stream_state: Mapping[str, Any] | None = None,
        stream_slice: Slice | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> Iterable[Row]:
        return self.read_page(response).rows

    def read_page(self, response: requests.Response) -> Page:
        """The page that an answer is.

        Raises `ValueError` where it is none, or leads elsewhere: the credentials are sent to no other host.
        """
        page = Page.of(response, self.list_key, self.identified_by)
        if page.next_url is not None and not is_same_origin(page.next_url, self.url_base):
            raise ValueError("its next page is on another host, which is not given your credentials")
        return page

    def _gone_midway(self, response: requests.Response) -> GoneMidwayError:
        """Half a list is never a list, also where the record that it belongs to may have been deleted."""
        said = f"Harvest answered {response.status_code} ({quote(response)})"
        message = (
            f"{said} in the middle of a record's {self.place.name}: the record may have been deleted meanwhile. "
            "The next sync takes it up again."
        )
        return GoneMidwayError(message, FailureType.transient_error, response.status_code, said)
