"""Where a stream stands in a sync: what its state said, what was read since, and what its next state says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from threading import Event, RLock
from typing import Any, ClassVar, Protocol

from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_harvest.errors import config_error
from source_harvest.state.date_range import DateRange, merged
from source_harvest.state.deletion_tracker import DeletionTracker
from source_harvest.state.parent_visits import Attempt, ParentScope
from source_harvest.state.stream_state import StreamState

logger = logging.getLogger("airbyte")

State = Mapping[str, Any]


class StatefulStream(Protocol):
    """What its progress has to know of a stream."""

    minds_start_date: ClassVar[bool]

    @property
    def name(self) -> str:
        """As the platform calls it."""
        ...

    @property
    def cursor_column(self) -> str | None:
        """The column that says when a record changed, or None where Harvest cannot be asked for changes."""
        ...

    @property
    def has_left_out_rows(self) -> bool:
        """Whether rows could not become records, for which no state may vouch."""
        ...

    def since(self, bookmark: StreamState) -> str | None:
        """From which change on its records are to be read."""
        ...

    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]:
        """What else is to be in its state."""
        ...


class StreamProgress:
    """Where one stream stands in one sync."""

    def __init__(
        self, stream: StatefulStream, bookmark: StreamState, start: str | None, full_read_days: int, *, remembers: bool
    ) -> None:
        """`remembers` is false for a full refresh, which begins anew."""
        self._stream = stream
        self.bookmark = bookmark
        self.start = start
        """The start date: a first read asks for rows updated since then."""
        self.full_read_days = full_read_days
        self.remembers = remembers
        """Whether the next sync is given what this one leaves."""
        self.tracker: DeletionTracker | None = None
        """Looks for deleted records of the stream, if anything does."""
        self.is_over = Event()
        """Nothing more comes of it, whether it succeeded or not."""
        self._account: str | None = None
        self._emit_state: Callable[[State], None] = _nowhere
        self._emit_estimate: Callable[[int], None] = _nowhere
        self._lock = RLock()
        if bookmark.cursor and not bookmark.account:  # another connector's state says nothing of its start date
            self.bookmark = replace(bookmark, start=start)
        elif not bookmark.reaches_back_to(start):
            logger.info("%s: the start date was %s before, so all is read anew", stream.name, bookmark.start)
            self.bookmark = StreamState(account=bookmark.account)

    def belongs_to(self, account: str) -> None:
        """Its states are of that account from now on.

        Raises a config `HarvestError` where the one that it was given is of another.
        """
        if self.bookmark.account not in {None, account}:
            raise config_error(
                f"The state of {self._stream.name} is of the Harvest account {self.bookmark.account}, and the source "
                f"now reads {account}: rows of two accounts would stand in one table. Clear the connection's data, or "
                "give each account a connection of its own."
            )
        self._account = account

    def connect(
        self,
        emit_state: Callable[[State], None],
        emit_estimate: Callable[[int], None],
        tracker: DeletionTracker | None,
    ) -> None:
        """Where its checkpoints, and estimates of how many rows will come, are to go. Called before any row comes."""
        self._emit_state = emit_state
        self._emit_estimate = emit_estimate
        self.tracker = tracker
        if self.bookmark.is_counted and not tracker:
            self.checkpoint()  # or a state would say that the rows to come are tracked

    def expect(self, rows: int) -> None:
        """So many rows will come."""
        self._emit_estimate(rows)

    @property
    def since(self) -> str | None:
        """The earliest change to read; None for everything."""
        return max(filter(None, (self._stream.since(self.bookmark), self.start)), default=None)

    @property
    def complete_from(self) -> str | None:
        """The earliest change that will have been delivered when all is read; None where that is every change."""
        if self._stream.minds_start_date:
            return None
        before = self._stream.since(self.bookmark)
        return self.bookmark.start if before and before >= (self.start or before) else self.start

    @property
    def is_first_read(self) -> bool:
        """Whether the stream was never read to its end, and can say so in its state."""
        return self.bookmark.cursor is None and self._stream.cursor_column is not None

    def start_anew(self) -> None:
        """Forget what the state said."""
        self.bookmark = StreamState()

    def forget_spans(self) -> None:
        """All days are read anew, so those of an earlier attempt, as of an earlier moment, count no more."""
        if self.bookmark.spans:
            self.bookmark = replace(self.bookmark, began=None, spans=(), entries=None, found=0)

    def go_on(self, began: datetime, spans: list[DateRange], entries: int | None, found: int) -> None:
        """An unfinished read goes on: of so many entries, these days delivered so many."""
        self.bookmark = replace(self.bookmark, began=began, spans=tuple(spans), entries=entries, found=found)

    def finished_span(self, began: datetime, span: DateRange, entries: int | None = None, found: int = 0) -> None:
        """These days of a first read are done; should the sync be killed, the next one goes on from here.

        They delivered so many more of all the entries.
        """
        if self._stream.has_left_out_rows:
            return  # they may be days of which it lacks rows
        with self._lock:
            spans, found = tuple(merged([*self.bookmark.spans, span])), self.bookmark.found + found
            self.bookmark = replace(self.bookmark, began=began, spans=spans, entries=entries, found=found)
            self.checkpoint()

    def visited(self, began: datetime, parent_id: int, unread: tuple[int, ...]) -> None:
        """All parents up to this one that are due were visited, but for those that are left `unread`."""
        with self._lock:
            self.bookmark = self.bookmark.visited(Attempt(began, parent_id), unread)
            self.checkpoint()

    def begin_visits(self, visit: ParentScope) -> None:
        """These parents are due; visits that were made when others were due count no more."""
        if self.bookmark.visit is not visit:
            self.bookmark = replace(self.bookmark, visit=visit, began=None, attempts=())

    def checkpoint(self) -> None:
        """Keeps how far it is."""
        if not self.remembers:
            return
        with self._lock:  # or a state could go out after one that says more
            self._emit_state(self.state(self.bookmark))

    def state(self, bookmark: StreamState) -> State:
        """As the platform keeps it, with what the stream adds."""
        column = self._stream.cursor_column
        if column is None:
            return {NO_CURSOR_STATE_KEY: True}
        is_tracked = self.tracker is not None
        bookmark = replace(bookmark, start=self.complete_from, account=self._account, is_counted=is_tracked)
        return {**bookmark.state(column), **self._stream.extra_state(self)}


def _nowhere(_: object) -> None:
    """Before it is connected."""
