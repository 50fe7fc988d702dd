"""What all streams share: what of Harvest's lists they are made of, and how rows become records."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, ClassVar

import requests
from airbyte_cdk.models import SyncMode
from airbyte_cdk.sources.streams.http import HttpStream
from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import FILTERS, ListReader, Slice
from source_harvest.api.pages import Row
from source_harvest.api.timestamps import changed_since, second_before
from source_harvest.errors import Place
from source_harvest.state.deletion_tracker import TrackedStream
from source_harvest.state.known_ids import NO_PARENT, ChildIds
from source_harvest.state.progress import StreamProgress
from source_harvest.state.stream_state import StreamState, parse_state
from source_harvest.stream_types.columns import RecordBuilder
from source_harvest.stream_types.odd_rows import OddRows


class HarvestStream(HttpStream):
    """A list at the top of Harvest's API, and the base of all streams.

    A class says only where it differs: its name in snake case is the stream, the path, the list key and the schema.
    """

    resource: ClassVar[str] = ""
    """The path below the API's address, which is also the list key. Empty: the stream's name."""
    readable_by: ClassVar[str] = "Administrators"
    """Which users Harvest lets read the list."""
    module: ClassVar[str] = ""
    """The module of Harvest's that the list belongs to, if it can be switched off: "invoice" for `invoice_feature`."""
    identified_by: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that tell the rows of one list apart."""
    primary_key: str | list[str] = "id"
    cursor_field: str | list[str] = []
    """The column that says when a record changed; none where Harvest cannot be asked for changes."""
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

    earlier_state_key: ClassVar[str] = "updated_at"
    """Under which key Airbyte's earlier connector kept how far it was. (Of machinery, no fact.)"""
    extra_state_keys: ClassVar[tuple[str, ...]] = ()
    """What `keep` may put into the stream's state. (Of machinery, no fact.)"""
    minds_start_date: ClassVar[bool] = False
    """Whether it finds out by itself what an earlier start date left out. (Of machinery, no fact.)"""
    is_refused_as_one: ClassVar[bool] = True
    """Whether a user who may not read one of its slices may read none. (Of machinery, no fact.)"""
    waits_long: ClassVar[bool] = False
    """Whether a slice may have to wait for minutes, not to keep others waiting meanwhile. (Of machinery, no fact.)"""
    takes_at_once: ClassVar[bool] = True
    """Whether the rows of its lists yield records as they come. (Of machinery, no fact.)"""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__()
        self._account = account
        self._client = account.client
        self.identity: Callable[[Row], Hashable] = itemgetter(*self.identified_by)
        self.list_reader = ListReader(account, self)
        self._shape = RecordBuilder(self)
        self.odd_rows = OddRows(self.name)

    @property
    @override
    def is_resumable(self) -> bool:
        return False  # a full refresh looks at no state, so the platform must not keep the rows of a failed attempt

    @property
    def cursor_column(self) -> str | None:
        """The column that says when a record changed, or None where Harvest cannot be asked for changes."""
        return self.cursor_field if isinstance(self.cursor_field, str) else None

    @property
    def overlap(self) -> timedelta:
        """How far before the last sync the next one begins to ask."""
        return self._client.settings.lookback

    @property
    def key_columns(self) -> list[str]:
        """The columns that together name a record."""
        return [self.primary_key] if isinstance(self.primary_key, str) else self.primary_key

    @property
    def has_left_out_rows(self) -> bool:
        """Whether rows could not become records, for which no state may vouch."""
        return self.odd_rows.has_failed

    # What the engine asks of a stream. Streams are made of lists, and each list is read once for all streams of it.

    @classmethod
    def source_lists(cls) -> "tuple[type[HarvestStream], ...]":
        """The streams whose lists this one is made of."""
        return (cls,)

    @classmethod
    def asks_for(cls) -> "tuple[type[HarvestStream], ...]":
        """The streams that Harvest must let a user read for this one."""
        return cls.source_lists()

    def sibling(self, kind: "type[HarvestStream]") -> "HarvestStream":
        """The stream of that kind in the same read."""
        return self if type(self) is kind else kind(self._account)

    def since(self, bookmark: StreamState) -> str | None:
        """From which change on its records are to be read; None for all of them."""
        return None

    def list_since(self, progress: StreamProgress) -> str | None:
        """From which change on its lists must be read for that."""
        return progress.since

    def records_from(self, source: "type[HarvestStream]", rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        """The records that a page of one of its lists yields at once."""
        return self.odd_rows.records(changed_since(rows, progress.since), self._shape.record)

    def add_whole_list(self, source: "type[HarvestStream]", rows: list[Row]) -> None:
        """A page of a list that is read whole because `needs_whole_lists`."""

    def ids_by_parent(self, rows: list[Row]) -> Iterable[ChildIds]:
        """The ids of its records in rows of its first list, in groups."""
        return [ChildIds(NO_PARENT, {row["id"] for row in rows}, is_whole=False)]

    def tracked(self, progress: StreamProgress) -> TrackedStream | None:
        """The stream as one whose deleted records are looked for; None where its records have no id."""
        if self.primary_key != "id":
            return None
        source, before = self.source_lists()[0], progress.bookmark
        return TrackedStream(
            name=self.name,
            was_read=bool(before.cursor or before.began),
            was_tracked=before.is_counted,
            is_over=progress.is_over,
            source=self.sibling(source).name,
            module=source.module,
            ids_by_parent=self.ids_by_parent,
            is_limited=self.limited_by_start_date,
            is_source_limited=source.limited_by_start_date,
        )

    def needs_whole_lists(self) -> bool:
        """Whether, having read what changed in its lists, it needs the rest of them too."""
        return False

    def partitions(self, progress: StreamProgress, began: datetime) -> Iterable[Slice]:
        """What is left to read when its lists have been read, which began at that moment."""
        return ()

    def read_partition(self, stream_slice: Slice) -> Iterable[Row]:
        """The records of one slice.

        Raises `HarvestError`.
        """
        return ()

    def partition_done(self, stream_slice: Slice, progress: StreamProgress, began: datetime) -> None:
        """A slice was read to its end."""

    def final_state(self, progress: StreamProgress, began: datetime) -> StreamState:
        """Where the stream is when all has been read that began at that moment."""
        return StreamState(cursor=began)

    def load_state(self, state: Mapping[str, Any]) -> StreamState:
        """What its state says; it takes back what it kept there.

        Raises a config `HarvestError` for what is no state of this stream.
        """
        return parse_state(
            self.name,
            str(self.cursor_column),
            state,
            extra_keys=self.extra_state_keys,
            load_extra=self.load_extra_state,
            earlier_key=self.earlier_state_key,
        )

    def load_extra_state(self, kept: Mapping[str, Any]) -> None:
        """Takes back what it kept in its state.

        Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError` for what it never kept there.
        """

    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]:
        """What else than a bookmark is to be in its state, as JSON."""
        return {}

    # How its list is asked for.

    def probe(self, place: Place | None = None) -> None:
        """Asks for a single row, to learn whether the list can be read, and what is at that place with it.

        Raises `HarvestError`.
        """
        self.list_reader.probe(place or self.place, self.any_slice())

    def any_slice(self) -> Slice:
        """One of its slices."""
        return {}

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
        return f"{self._client.settings.api_url}/"

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
        return {"per_page": self.list_reader.entries_per_page, **filters}

    @override
    def next_page_token(self, response: requests.Response) -> Mapping[str, Any] | None:
        url = self.list_reader.read_page(response).next_url
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
        return self.list_reader.read_page(response).rows

    @override
    def read_records(
        self,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_slice: Slice | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterator[Row]:
        # The CDK's own method reads a single page where a stream has no cursor.
        for page in self.list_reader.new_pages(stream_slice or {}):
            yield from map(self._shape.record, page.rows)
