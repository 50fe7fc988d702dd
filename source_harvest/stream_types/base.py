"""The base of all streams: which of Harvest's lists a stream reads, and how rows become records."""

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
    """A top-level list of Harvest's API, and the base class of all streams.

    By default the class name in snake case names the stream, its path, its list key and its schema.
    """

    resource: ClassVar[str] = ""
    """The path below the API's address, and the list key. Empty: the stream's name."""
    readable_by: ClassVar[str] = "Administrators"
    """Which users Harvest lets read the list."""
    module: ClassVar[str] = ""
    """Harvest's module for the list, if it can be switched off: "invoice" for `invoice_feature`."""
    identified_by: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that identify a row within a list."""
    primary_key: str | list[str] = "id"
    cursor_field: str | list[str] = []
    """The column that says when a record changed; none where Harvest cannot be asked for changes."""
    limited_by_start_date: ClassVar[bool] = False
    """True for facts, false for the dimensions that facts refer to."""
    foreign_keys: ClassVar[Mapping[str, str]] = {}
    """Column -> the stream it refers to. `client_id` is the `id` of the nested `client`."""
    is_suggested: ClassVar[bool] = False
    """Whether a new user is offered the stream: it answers everyday questions, with few requests."""
    flattened: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Nested object -> its further fields that become columns, such as `receipt_url`."""
    text_keys: ClassVar[tuple[str, ...]] = ()
    """Primary key columns that may hold text; the others hold whole numbers."""
    clock_times: ClassVar[tuple[str, ...]] = ()
    """Columns with a time of day, in the format that the account displays."""
    access_role_flags: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Boolean column -> the access roles that imply it."""
    business_date: ClassVar[str] = ""
    """The date column that Harvest filters by with `from` and `to`, and sorts by, newest first."""

    # The rest is set by stream types, not by streams.

    earlier_state_key: ClassVar[str] = "updated_at"
    """The key under which Airbyte's earlier connector kept the cursor."""
    extra_state_keys: ClassVar[tuple[str, ...]] = ()
    """The keys that `extra_state` may add to the state."""
    minds_start_date: ClassVar[bool] = False
    """Whether the stream itself finds what an earlier start date left out."""
    is_refused_as_one: ClassVar[bool] = True
    """Whether a user who may not read one of its partitions may read none."""
    waits_long: ClassVar[bool] = False
    """Whether a partition may wait for minutes; it then takes a separate request slot, so that others need not wait."""
    takes_at_once: ClassVar[bool] = True
    """Whether rows of its lists yield records as they are read."""

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
        return False  # a full refresh ignores the state, so the platform must not keep the rows of a failed attempt

    @property
    def cursor_column(self) -> str | None:
        """The column that says when a record changed; None if Harvest cannot filter the list by change."""
        return self.cursor_field if isinstance(self.cursor_field, str) else None

    @property
    def overlap(self) -> timedelta:
        """How far before its cursor a sync starts to read."""
        return self._client.settings.lookback

    @property
    def key_columns(self) -> list[str]:
        """The columns of the primary key."""
        return [self.primary_key] if isinstance(self.primary_key, str) else self.primary_key

    @property
    def has_left_out_rows(self) -> bool:
        """Whether rows could not become records; no checkpoint may then cover their days."""
        return self.odd_rows.has_failed

    # For the engine. Records come from lists, and each list is read once for all streams that use it.

    @classmethod
    def source_lists(cls) -> "tuple[type[HarvestStream], ...]":
        """The streams whose lists its records come from."""
        return (cls,)

    @classmethod
    def asks_for(cls) -> "tuple[type[HarvestStream], ...]":
        """The streams that the user must be allowed to read."""
        return cls.source_lists()

    def sibling(self, kind: "type[HarvestStream]") -> "HarvestStream":
        """The stream of class `kind` for the same account."""
        return self if type(self) is kind else kind(self._account)

    def since(self, last: StreamState) -> str | None:
        """From which change on its records are to be read; None for all of them."""
        return None

    def list_since(self, progress: StreamProgress) -> str | None:
        """The earliest change that its lists must be read from; None for everything."""
        return progress.since

    def records_from(self, source: "type[HarvestStream]", rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        """The records that rows of one of its lists yield as they are read."""
        return self.odd_rows.records(changed_since(rows, progress.since), self._shape.record)

    def add_whole_list(self, source: "type[HarvestStream]", rows: list[Row]) -> None:
        """Takes rows of a list that is read whole because of `needs_whole_lists`."""

    def ids_by_parent(self, rows: list[Row]) -> Iterable[ChildIds]:
        """The ids of its records in rows of its first list, grouped by parent."""
        return [ChildIds(NO_PARENT, {row["id"] for row in rows}, is_whole=False)]

    def tracked(self, progress: StreamProgress) -> TrackedStream | None:
        """What the deletion tracker must know of it; None if its records have no id."""
        if self.primary_key != "id":
            return None
        source, last = self.source_lists()[0], progress.stream_state
        return TrackedStream(
            name=self.name,
            was_read=bool(last.cursor or last.began),
            was_tracked=last.is_counted,
            is_over=progress.is_over,
            source=self.sibling(source).name,
            module=source.module,
            ids_by_parent=self.ids_by_parent,
            is_limited=self.limited_by_start_date,
            is_source_limited=source.limited_by_start_date,
        )

    def needs_whole_lists(self) -> bool:
        """Whether it needs its lists whole, now that it has their changes."""
        return False

    def partitions(self, progress: StreamProgress, began: datetime) -> Iterable[Slice]:
        """The slices of its partitions, which are read after its lists. `began`: when reading the lists began."""
        return ()

    def read_partition(self, stream_slice: Slice) -> Iterable[Row]:
        """The records of one partition.

        Raises `HarvestError`.
        """
        return ()

    def partition_done(self, stream_slice: Slice, progress: StreamProgress, began: datetime) -> None:
        """Called when a partition was read to its end."""

    def final_state(self, progress: StreamProgress, began: datetime) -> StreamState:
        """The state after a complete read that began at `began`."""
        return StreamState(cursor=began)

    def load_state(self, state: Mapping[str, Any]) -> StreamState:
        """Parses its state, and restores the extra keys.

        Raises a config `HarvestError` for anything else than a state of this stream.
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
        """Restores what `extra_state` returned.

        Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError` for anything else.
        """

    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]:
        """Further keys of its state, as JSON."""
        return {}

    # Requests.

    def probe(self, place: Place | None = None) -> None:
        """Requests a single row, to check that the list can be read.

        Raises `HarvestError`, which names `place` if given.
        """
        self.list_reader.probe(place or self.place, self.any_slice())

    def any_slice(self) -> Slice:
        """The slice that `probe` requests."""
        return {}

    def asks_again(self, stream_slice: Slice, status: int, times: int) -> bool:
        """Whether to repeat the request for a child list that answered with this status for the `times`-th time.

        Raises `HarvestError`.
        """
        return False

    @property
    def place(self) -> Place:
        """What error messages say about its list."""
        return Place(self.resource or self.name, self.readable_by, module=self.module)

    @property
    def list_key(self) -> str | None:
        """The key of the rows in an answer; None if the answer is a single record."""
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
        # The CDK's own method reads only one page of a stream without a cursor.
        for page in self.list_reader.new_pages(stream_slice or {}):
            yield from map(self._shape.record, page.rows)
