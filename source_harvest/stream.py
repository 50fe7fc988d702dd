"""What all streams share: how a list of Harvest's is asked for, and how its rows become records."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime
from operator import itemgetter
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import requests
from airbyte_cdk.models import FailureType, SyncMode
from airbyte_cdk.sources.streams.http import HttpStream
from typing_extensions import override

from source_harvest.answer import Page, Row, Tally
from source_harvest.auth import REQUEST_KWARGS
from source_harvest.bookmark import Bookmark, second_before
from source_harvest.errors import GoneMidwayError, HarvestError, Place, quote
from source_harvest.inhabitants import NO_GROUP
from source_harvest.records import Shape, changed_since
from source_harvest.transport import Transport

# The most rows that Harvest puts on a page; asked for always, because not every list has it as its default.
PER_PAGE = 2000

FILTERS = ("updated_since", "from", "to")

# How often a list is read that changes while it is read.
READINGS = 3

Slice = Mapping[str, Any]
"""What a series of pages is of: filters, and for a list below a record that record's id."""

if TYPE_CHECKING:
    from source_harvest.reader import Reader


class HarvestStream(HttpStream):
    """A list at the top of Harvest's API, and the base of all streams.

    A class says only where it differs: its name in snake case is the stream, the path, the list key and the schema.
    An instance serves one read.
    """

    primary_key: str | list[str] = "id"
    cursor_field: str | list[str] = "updated_at"
    resource: ClassVar[str] = ""
    """The path below the API's address, which is also the list key. Empty: the stream's name."""
    readable_by: ClassVar[str] = "Administrators"
    """Which users Harvest lets read the list."""
    identified_by: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that tell the rows of one list apart."""
    module: ClassVar[str] = ""
    """The module of Harvest's that the list belongs to, if it can be switched off: "invoice" for `invoice_feature`."""
    limited_by_start_date: ClassVar[bool] = False
    """True for facts, false for what facts refer to."""
    foreign_keys: ClassVar[Mapping[str, str]] = {}
    """Column -> the stream it points to. `client_id` is the `id` of the nested `client`."""
    flattened: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Nested object -> further fields of it that become columns, such as `receipt_url`."""
    text_keys: ClassVar[tuple[str, ...]] = ()
    """Columns of the key that may hold text; all others hold whole numbers."""
    clock_times: ClassVar[tuple[str, ...]] = ()
    """Columns that hold a time of day as the account displays it."""
    access_role_flags: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Boolean column -> the access roles that imply it."""
    business_date: ClassVar[str] = ""
    """The day by which Harvest filters the list with `from` and `to`, and sorts it, newest first."""

    kept_in_state: ClassVar[tuple[str, ...]] = ()
    """What `keep` may put into the stream's state. (Of machinery, no fact.)"""
    is_refused_as_one: ClassVar[bool] = True
    """Whether a user who may not read one of its slices may read none. (Of machinery, no fact.)"""
    takes_at_once: ClassVar[bool] = True
    """Whether the rows of its lists yield records as they come. (Of machinery, no fact.)"""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport
        self._lock = Lock()
        self.requests = 0
        self._http_client = transport.client(self.place)
        self._shape = Shape(type(self))
        fields = self.identified_by
        self._identity = itemgetter(*fields) if len(fields) == 1 else lambda row: tuple(map(row.get, fields))

    @property
    @override
    def is_resumable(self) -> bool:
        return False  # a full refresh looks at no state, so the platform must not keep the rows of a failed attempt

    @property
    def cursor_column(self) -> str | None:
        """The column that says when a record changed, or None where Harvest cannot be asked for changes."""
        return self.cursor_field if isinstance(self.cursor_field, str) else None

    @property
    def key_columns(self) -> list[str]:
        """The columns that together name a record."""
        return [self.primary_key] if isinstance(self.primary_key, str) else self.primary_key

    # What the engine asks of a stream. Streams are made of lists, and each list is read once for all streams of it.

    @classmethod
    def lists(cls) -> "tuple[type[HarvestStream], ...]":
        """The streams whose lists this one is made of."""
        return (cls,)

    @classmethod
    def asks_for(cls) -> "tuple[type[HarvestStream], ...]":
        """The streams that Harvest must let a user read for this one."""
        return cls.lists()

    def sibling(self, kind: "type[HarvestStream]") -> "HarvestStream":
        """The stream of that kind in the same read."""
        return self if type(self) is kind else kind(self._transport)

    def since(self, bookmark: Bookmark) -> str | None:
        """From which change on its records are to be read."""
        return bookmark.since

    def list_since(self, reader: "Reader") -> str | None:
        """From which change on its lists must be read for that."""
        return reader.since

    def take(self, source: "type[HarvestStream]", rows: list[Row], reader: "Reader") -> Iterable[Row]:
        """The records that a page of one of its lists yields at once."""
        return map(self._shape.record, changed_since(rows, reader.since))

    def take_whole(self, source: "type[HarvestStream]", rows: list[Row]) -> None:
        """A page of a list that is read whole because `needs_whole_lists`."""

    def members(self, rows: list[Row]) -> Iterable[tuple[int, set[int]]]:
        """The ids of its records in rows of its first list, in groups: each under that of the record it belongs to."""
        return [(NO_GROUP, {row["id"] for row in rows})]

    def needs_whole_lists(self) -> bool:
        """Whether, having read what changed in its lists, it needs the rest of them too."""
        return False

    def slices(self, reader: "Reader", began: datetime) -> Iterable[Slice]:
        """What is left to read when its lists have been read, which began at that moment."""
        return ()

    def before_slice(self) -> None:
        """Waits until the next slice had better be begun."""

    def read_slice(self, stream_slice: Slice) -> Iterable[Row]:
        """The records of one slice.

        Raises `HarvestError`.
        """
        return ()

    def finished_slice(self, stream_slice: Slice, reader: "Reader", began: datetime) -> None:
        """A slice was read to its end."""

    def reached(self, reader: "Reader", began: datetime) -> Bookmark:
        """Where the stream is when all has been read that began at that moment."""
        return Bookmark(cursor=began)

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Takes back what it kept in its state.

        Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError` for what it never kept there.
        """

    def keep(self) -> Mapping[str, Any]:
        """What else than a bookmark is to be in its state, as JSON."""
        return {}

    @override
    def read_records(
        self,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_slice: Slice | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterator[Row]:
        # The CDK's own method reads a single page where a stream has no cursor.
        for page in self.complete_pages(stream_slice or {}):
            yield from map(self._shape.record, page.rows)

    # How a list is asked for.

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

    def complete_pages(self, stream_slice: Slice, in_doubt: Callable[[], None] = lambda: None) -> Iterator[Page]:
        """The pages of a list; again from the first, with what is new on them, where rows came or went meanwhile.

        Calls `in_doubt` where it cannot be told that they hold all that there is. Raises `HarvestError`.
        """
        tally: Tally | None = None
        for reading in range(READINGS):
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
