"""A stream that takes part in a sync: where it starts, how far it is, and what is told of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Event, RLock
from typing import TYPE_CHECKING

import orjson
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY
from airbyte_cdk.sources.types import Record

from source_harvest.bookmark import Bookmark
from source_harvest.cursor import State, StreamCursor
from source_harvest.errors import HarvestError, TriesUsedUpError, brief, config_error
from source_harvest.odd_rows import OddRowsError
from source_harvest.spans import Span, merged
from source_harvest.visits import Attempt, Visit

if TYPE_CHECKING:
    from source_harvest.answer import Row
    from source_harvest.stream import HarvestStream

logger = logging.getLogger("airbyte")

# After so many times in a row that a slice could not be read for a fault, the others are not asked for.
FAULTS_IN_A_ROW = 3


class Reader:
    """One stream in one sync."""

    def __init__(
        self, stream: HarvestStream, bookmark: Bookmark, start: str | None, full_read_days: int, *, remembers: bool
    ) -> None:
        """`remembers` is false for a full refresh, which begins anew."""
        self.stream = stream
        self.bookmark = bookmark
        self.start = start
        """From which change on a first read is."""
        self.full_read_days = full_read_days
        self.is_given_up = False
        """Whether its other slices need not be asked for, as they would fail too."""
        self.requests_of_others = 0
        """That other streams made for it."""
        self.remembers = remembers
        """Whether the next sync is given what this one leaves."""
        self.is_counted = False
        """Whether deletions are looked for in this sync among what it delivers."""
        self.is_over = Event()
        """Nothing more comes of it, whether it succeeded or not."""
        self._rows = 0
        self._faults = 0
        self._fault_at = 0.0
        self._told: set[str] = set()
        self._has_left_out = False
        self._lock = RLock()
        self._began = time.monotonic()
        if bookmark.cursor and not bookmark.account:  # another connector's state says nothing of its start date
            self.bookmark = replace(bookmark, start=start)
        elif not bookmark.reaches_back_to(start):
            logger.info("%s: the start date was %s before, so all is read anew", stream.name, bookmark.start)
            self.bookmark = Bookmark(account=bookmark.account)

    def belongs_to(self, account: str) -> None:
        """Its states are of that account from now on.

        Raises a config `HarvestError` where the one that it was given is of another.
        """
        if self.bookmark.account not in {None, account}:
            raise config_error(
                f"The state of {self.stream.name} is of the Harvest account {self.bookmark.account}, and the source "
                f"now reads {account}: rows of two accounts would stand in one table. Clear the connection's data, or "
                "give each account a connection of its own."
            )
        self._account = account

    def connect(
        self,
        emit_state: Callable[[State], None],
        emit_estimate: Callable[[int], None],
        emit_error: Callable[[HarvestError], None],
    ) -> None:
        """Where its states, estimates of how many rows will come, and errors beside those raised are to go."""
        self.cursor = StreamCursor(emit_state, self._end)
        self.expect = emit_estimate
        self._emit_error = emit_error

    @property
    def since(self) -> str | None:
        """The earliest change to read; None for everything."""
        return max(filter(None, (self.stream.since(self.bookmark), self.start)), default=None)

    @property
    def complete_from(self) -> str | None:
        """The earliest change that will have been delivered when all is read; None where that is every change."""
        if self.stream.minds_start_date:
            return None
        before = self.stream.since(self.bookmark)
        return self.bookmark.start if before and before >= (self.start or before) else self.start

    @property
    def is_first_read(self) -> bool:
        """Whether the stream was never read to its end, and can say so in its state."""
        return self.bookmark.cursor is None and self.stream.cursor_column is not None

    def start_anew(self) -> None:
        """Forget what the state said."""
        self.bookmark = Bookmark()

    def forget_spans(self) -> None:
        """All days are read anew, so those of an earlier attempt, as of an earlier moment, count no more."""
        if self.bookmark.spans:
            self.bookmark = replace(self.bookmark, began=None, spans=(), entries=None, found=0)

    def go_on(self, began: datetime, spans: list[Span], entries: int | None, found: int) -> None:
        """An unfinished read goes on: of so many entries, these days delivered so many."""
        self.bookmark = replace(self.bookmark, began=began, spans=tuple(spans), entries=entries, found=found)

    def finished_span(self, began: datetime, span: Span, entries: int | None = None, found: int = 0) -> None:
        """These days of a first read are done; should the sync be killed, the next one goes on from here.

        They delivered so many more of all the entries.
        """
        if self.stream.odd_rows.has_failed:
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

    def begin_visits(self, visit: Visit) -> None:
        """These parents are due; visits that were made when others were due count no more."""
        if self.bookmark.visit is not visit:
            self.bookmark = replace(self.bookmark, visit=visit, began=None, attempts=())

    def record(self, row: Row) -> Record | None:
        """The row as a record of the stream; None for one that cannot be written, which fails the stream alone."""
        try:
            orjson.dumps([[row]])  # as deep as in its message
        except orjson.JSONEncodeError as error:
            self._leave_out(row, error)
            return None
        return Record(data=row, stream_name=self.stream.name)

    def _leave_out(self, row: Row, reason: Exception) -> None:
        key = ", ".join(f"{column} {row.get(column)!r}" for column in self.stream.key_columns)
        message = (
            f"A row of {self.stream.name} ({brief(key)}) cannot be written as JSON ({reason}) and is left out, so the "
            "stream stays incomplete; all its other rows are read. Change that row in Harvest, or deselect the stream."
        )
        with self._lock:
            is_first, self._has_left_out = not self._has_left_out, True
        self.cursor.fail()
        if is_first:
            self._emit_error(HarvestError(message, FailureType.system_error))
        else:
            logger.warning(message)

    def count(self, rows: int) -> None:
        """So many rows were read."""
        with self._lock:
            self._rows += rows

    def succeeded(self, rows: int) -> None:
        """A slice of so many rows was read."""
        with self._lock:
            self._faults = 0
            self.count(rows)

    def failed(self, error: HarvestError, began: float) -> bool:
        """A slice that `began` then, by our monotonic clock, could not be read; says whether that is news.

        One record may be at odds with Harvest for ever, and must not hide all others. But where nothing at all is read
        meanwhile, as often as it is tried, the others would only take their time to fail too.
        """
        with self._lock:
            is_fault = error.failure_type is FailureType.transient_error or isinstance(error, TriesUsedUpError)
            if is_fault and began >= self._fault_at:
                self._faults += 1
                self._fault_at = time.monotonic()
                if self._faults == FAULTS_IN_A_ROW:
                    logger.warning("%s: given up for now, as nothing of it can be read any more", self.stream.name)
            is_refused = error.failure_type is FailureType.config_error and self.stream.is_refused_as_one
            self.is_given_up |= is_refused or error.status == 401 or self._faults >= FAULTS_IN_A_ROW
            return self.is_news(error)

    def is_news(self, error: HarvestError) -> bool:
        """Whether this is the first time for this stream that it is told."""
        with self._lock:
            told = type(error).__name__ if isinstance(error, OddRowsError) else str(error)
            is_news = told not in self._told
            self._told.add(told)
            return is_news

    def finish(self, began: datetime) -> None:
        """All that is to be read is announced; when it has been read, the stream is where it was at that moment."""
        self.cursor.all_announced(lambda: self._state(self.stream.reached(self, began)))

    def begin(self) -> None:
        """Called before any row: where deletions are looked for no more, a state has to say so first."""
        if self.bookmark.is_counted and not self.is_counted:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Keeps how far it is."""
        if not self.remembers:
            return
        with self._lock:  # or a state could go out after one that says more
            self.cursor.checkpoint(self._state(self.bookmark))

    def _state(self, bookmark: Bookmark) -> State:
        column = self.stream.cursor_column
        if column is None:
            return {NO_CURSOR_STATE_KEY: True}
        bookmark = replace(bookmark, start=self.complete_from, account=self._account, is_counted=self.is_counted)
        return {**bookmark.state(column), **self.stream.keep()}

    def _end(self) -> None:
        self.is_over.set()
        self.stream.odd_rows.warn()
        seconds = time.monotonic() - self._began
        requests = self.stream.requests + self.requests_of_others
        logger.info("%s: %d rows with %d requests in %.1f s", self.stream.name, self._rows, requests, seconds)
