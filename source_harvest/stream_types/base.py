"""The base of all streams: which of Harvest's lists a stream reads, and how rows become records."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime
from operator import itemgetter
from typing import Any, ClassVar

import requests
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.sources.utils.casing import camel_to_snake
from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import FILTERS, ListReader, Slice, Token
from source_harvest.api.pages import Page
from source_harvest.api.timestamps import Row, changed_since, second_before, timestamp
from source_harvest.errors import Place, config_error, quote_value
from source_harvest.state.deletion_tracker import TrackedStream
from source_harvest.state.known_ids import NO_PARENT, ChildIds
from source_harvest.state.progress import StreamProgress
from source_harvest.state.stream_state import UNREADABLE, StreamState, parse_state
from source_harvest.stream_types.columns import ColumnFacts, RecordBuilder
from source_harvest.stream_types.odd_rows import OddRows


class HarvestStream(ColumnFacts, HttpStream):
    """A top-level list of Harvest's API, and the base class of all streams.

    By default the class name in snake case names the stream, its path, its list key and its schema.
    It has more than 20 methods: 7 that the CDK asks for, and each question that the engine asks of a stream.
    """

    name: str = ""
    """The class name in snake case."""
    list_name: ClassVar[str] = ""
    """What its list is called in paths and messages: `resource`, or else the name."""
    resource: ClassVar[str] = ""
    """The path below the API's address, and the list key. Empty: the stream's name."""
    readable_by: ClassVar[str] = "Administrators"
    """Which users Harvest lets read the list."""
    module: ClassVar[str] = ""
    """Harvest's module for the list, if it can be switched off: "invoice" for `invoice_feature`."""
    identified_by: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that identify a row within a list."""
    cursor_field: str | list[str] = []
    """The column that says when a record changed; none if Harvest cannot filter the list by change."""
    limited_by_start_date: ClassVar[bool] = False
    """True for facts, false for the dimensions that facts refer to."""
    is_suggested: ClassVar[bool] = False
    """Whether a new user is offered the stream: it answers everyday questions, with few requests."""
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
    may_have_smaller_pages: ClassVar[bool] = True
    """Whether its list is read again with smaller pages if Harvest fails on a large one."""
    takes_at_once: ClassVar[bool] = True
    """Whether rows of its lists yield records as they are read."""
    needs_whole_lists: bool = False
    """Whether it needs its lists whole, now that it has their changes."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = camel_to_snake(cls.__name__)
        cls.list_name = cls.resource or cls.name

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__()
        self._account = account
        self._client = account.client
        self.overlap = account.client.settings.lookback
        """How far before its cursor a sync starts to read."""
        start = account.client.settings.start if self.limited_by_start_date else None
        self.start: str | None = timestamp(start) if start else None
        """Start date: a first read asks for rows updated since this."""
        self.cursor_column = self.cursor_field if isinstance(self.cursor_field, str) else None
        self.identity: Callable[[Row], Hashable] = itemgetter(*self.identified_by)
        self.list_reader = ListReader(account, self)
        self.odd_rows = OddRows(self.name)
        self._shape = RecordBuilder(self, self.odd_rows)

    @property
    @override
    def is_resumable(self) -> bool:
        return False  # a full refresh ignores the state, so the platform must not keep the rows of a failed attempt

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
        return self._shape.records(changed_since(rows, progress.since))

    def add_whole_list(self, source: "type[HarvestStream]", rows: list[Row]) -> None:
        """Takes rows of a list that is read whole because of `needs_whole_lists`."""

    def ids_by_parent(self, rows: list[Row]) -> Iterable[ChildIds]:
        """The ids of its records in rows of its first list, grouped by parent."""
        return [ChildIds(NO_PARENT, {row["id"] for row in rows}, is_whole=False)]

    def tracked(self, progress: StreamProgress) -> TrackedStream | None:
        """What the deletion tracker must know of it; None if its records have no id."""
        if self.primary_key != ["id"]:
            return None
        source, last = self.source_lists()[0], progress.stream_state
        return TrackedStream(
            name=self.name,
            was_read=bool(last.cursor or last.began),
            was_tracked=last.is_counted,
            is_over=progress.is_over,
            source=source.name,
            module=source.module,
            ids_by_parent=self.ids_by_parent,
            is_limited=self.limited_by_start_date,
            is_source_limited=source.limited_by_start_date,
        )

    def partitions(self, progress: StreamProgress, began: datetime) -> Iterable[Slice]:
        """The slices of its partitions, which are read after its lists. `began`: when reading the lists began."""
        return ()

    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterable[Row]:
        """The records of one partition. Raises `HarvestError`."""
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
        column = str(self.cursor_column)
        try:
            self.load_extra_state({key: state[key] for key in self.extra_state_keys if key in state})
            return parse_state(state, column, self.extra_state_keys, self.earlier_state_key)
        except UNREADABLE:
            raise config_error(
                f'The state of the stream "{self.name}" cannot be read: it is {quote_value(dict(state))}, where a '
                f'moment such as {{"{column}": "2024-01-31T10:00:00Z"}} is expected. Clear the stream\'s data to read '
                "it anew, or use the version of the connector that wrote it."
            ) from None

    def load_extra_state(self, kept: Mapping[str, Any]) -> None:
        """Restores what `extra_state` returned.

        Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError` for anything else.
        """

    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]:
        """Further keys of its state, as JSON."""
        return {}

    # Requests.

    def probe(self) -> None:
        """Requests a single row, to check that the list can be read. Raises `HarvestError`."""
        self.list_reader.probe(self.place, {})

    def page_of(self, response: requests.Response) -> Page:
        """The page in a successful response. Raises `ValueError` if it is none."""
        return Page.of(response, self.list_key, self.identified_by)

    def asks_again(self, stream_slice: Slice, status: int, times: int) -> bool:
        """Whether to repeat the request for a child list that answered with this status for the `times`-th time.

        Raises `HarvestError`.
        """
        return False

    @property
    def place(self) -> Place:
        """What error messages say about its list."""
        return Place(self.list_name, self.readable_by, module=self.module)

    @property
    def list_key(self) -> str | None:
        """The key of the rows in an answer; None if the answer is a single record."""
        return self.list_name

    @property
    @override
    def url_base(self) -> str:
        return f"{self._client.settings.api_url}/"

    @override
    def path(self, *, stream_slice: Slice | None = None, next_page_token: Token = None, **_: Any) -> str:
        return next_page_token["url"] if next_page_token else self.first_path(stream_slice or {})

    def first_path(self, stream_slice: Slice) -> str:
        """The path of the first page, below the API's address."""
        return self.list_name

    @override
    def request_params(
        self, stream_state: object, stream_slice: Slice | None = None, next_page_token: Token = None
    ) -> MutableMapping[str, Any]:
        if next_page_token or self.list_key is None:
            return {}
        filters = {name: value for name, value in (stream_slice or {}).items() if value and name in FILTERS}
        if "updated_since" in filters:
            filters["updated_since"] = second_before(filters["updated_since"])
        return {"per_page": self.list_reader.page_size.entries, **filters}

    @override
    def next_page_token(self, response: requests.Response) -> Token:
        url = self.list_reader.read_page(response).next_url
        return None if url is None else {"url": url}

    @override
    def parse_response(self, response: requests.Response, **_: Any) -> Iterable[Row]:
        return self.list_reader.read_page(response).rows

    @override
    def read_records(
        self, sync_mode: object, cursor_field: object = None, stream_slice: Slice | None = None, *_: Any, **__: Any
    ) -> Iterator[Row]:
        # The CDK's own method reads only one page of a stream without a cursor.
        for page in self.list_reader.new_pages(stream_slice or {}):
            yield from map(self._shape.record, page.rows)
