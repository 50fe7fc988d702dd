"""How a list of Harvest's is asked for: its place, its filters and its pages, first to last."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping
from operator import itemgetter
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http import HttpStream
from typing_extensions import override

from source_harvest.answer import Page, Row, Tally
from source_harvest.auth import REQUEST_KWARGS
from source_harvest.bookmark import second_before
from source_harvest.delivered import DeliveredRows
from source_harvest.errors import GoneMidwayError, HarvestError, Place, quote
from source_harvest.transport import Transport

# The most rows that Harvest puts on a page; asked for always, because not every list has it as its default.
PER_PAGE = 2000

FILTERS = ("updated_since", "from", "to")

# How often a list is read that changes while it is read.
READINGS = 3

Slice = Mapping[str, Any]
"""What a series of pages is of: filters, and for a list below a record that record's id."""


def _ignore() -> None:
    """Nobody wants to know."""


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
        self._http_client = transport.client(self.place)
        fields = self.identified_by
        self._identity: Callable[[Row], Hashable] = itemgetter(*fields)

    def probe(self, place: Place | None = None) -> None:
        """Asks for a single row, to learn whether the list can be read, and what is at that place with it.

        Raises `HarvestError`.
        """
        place = place or self.place
        with self._transport.explained(place):
            path = self.first_path(self.any_slice())
            self._transport.get_once(f"{self.url_base}{path}{'?per_page=1' if self.list_key else ''}", place)

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
        for reading in range(READINGS):
            if reading:
                again()
            tally = Tally(self._identity, tally, is_filtered=any(stream_slice.get(name) for name in FILTERS))
            try:
                for page in self.pages(stream_slice):
                    tally.add(page)
                    yield page
            except GoneMidwayError:
                if reading + 1 == READINGS:
                    raise
                continue  # its first page tells whether the record that it belongs to was deleted
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
        """The pages of a list, first to last; none where the record that it belongs to is gone before the first.

        Raises `HarvestError`.
        """
        token = None
        asked: set[str] = set()
        while True:
            with self._lock:
                self.requests += 1
            with self._transport.explained(self.place):
                request, response = self._fetch_next_page(stream_slice, None, token)
            if not response.ok:
                if token:
                    raise self._gone_midway(response)
                self.logger.debug("%s is gone, and so are its %s", request.url, self.name)
                self.parent_gone()
                return
            with response:
                page = self._page(response)
                yield page
                page.rows.clear()  # or the next page would share the memory with it
            if page.next_url is None:
                return
            if page.next_url in asked:
                raise self._malformed("its pages lead round in a circle")
            asked.add(page.next_url)
            token = self._token(page.next_url)

    def parent_gone(self) -> None:
        """Below a record a list answered 404."""

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
        return {"per_page": PER_PAGE, **filters}

    @override
    def request_kwargs(
        self,
        stream_state: Mapping[str, Any] | None,
        stream_slice: Slice | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        return REQUEST_KWARGS

    @override
    def next_page_token(self, response: requests.Response) -> Mapping[str, Any] | None:
        url = self._page(response).next_url
        return None if url is None else self._token(url)

    @override
    def parse_response(
        self,
        response: requests.Response,
        *,
        stream_state: Mapping[str, Any] | None = None,
        stream_slice: Slice | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> Iterable[Row]:
        return self._page(response).rows

    def _token(self, url: str) -> Mapping[str, Any]:
        """Harvest says where the next page is; the credentials are sent to no other host than the configured one."""
        if urlsplit(url)[:2] != urlsplit(self.url_base)[:2]:
            raise self._malformed("its next page is on another host, which is not given your credentials")
        return {"url": url}

    def _page(self, response: requests.Response) -> Page:
        try:
            return Page.of(response, self.list_key, self.identified_by)
        except ValueError as error:
            raise self._malformed(str(error)) from error

    def _gone_midway(self, response: requests.Response) -> GoneMidwayError:
        """Half a list is never a list, also where the record that it belongs to may have been deleted."""
        said = f"Harvest answered {response.status_code} ({quote(response)})"
        message = (
            f"{said} in the middle of a record's {self.place.name}: the record may have been deleted meanwhile. "
            "The next sync takes it up again."
        )
        return GoneMidwayError(message, FailureType.transient_error, response.status_code, said)

    def _malformed(self, what: str) -> HarvestError:
        message = f"Harvest's answer for {self.place.name} is not as documented: {what}. Please report this message."
        return HarvestError(message, FailureType.system_error)
