"""A stream that takes part in a sync: where it starts, how far it is, and what is told of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Event, Lock
from typing import TYPE_CHECKING

from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_harvest.bookmark import Bookmark
from source_harvest.cursor import State, StreamCursor
from source_harvest.spans import Span, merged

if TYPE_CHECKING:
    from source_harvest.stream import HarvestStream

logger = logging.getLogger("airbyte")


class Reader:
    """One stream in one sync."""

    def __init__(
        self, stream: HarvestStream, bookmark: Bookmark, start: str | None, full_read_days: int, *, remembers: bool
    ) -> None:
        """`remembers` is false for a full refresh, which begins anew."""
        self.stream = stream
        self.bookmark = bookmark if bookmark.reaches_back_to(start) else bookmark.without_unfinished()
        self.start = start
        """From which change on a first read is."""
        self.full_read_days = full_read_days
        self.is_refused = False
        """Whether the user may not read it, so that its other slices need not be asked for."""
        self.requests_of_others = 0
        """That other streams made for it."""
        self.remembers = remembers
        """Whether the next sync is given what this one leaves."""
        self.is_over = Event()
        """Nothing more comes of it, whether it succeeded or not."""
        self._rows = 0
        self._lock = Lock()
        self._began = time.monotonic()

    def connect(self, emit_state: Callable[[State], None], emit_estimate: Callable[[int], None]) -> None:
        """Where its states, and estimates of how many rows will come, are to go."""
        self.cursor = StreamCursor(emit_state, self._end)
        self.expect = emit_estimate

    @property
    def since(self) -> str | None:
        """The earliest change to read; None for everything."""
        return max(filter(None, (self.stream.since(self.bookmark), self.start)), default=None)

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
            self.bookmark = self.bookmark.without_unfinished()

    def finished_span(self, began: datetime, span: Span) -> None:
        """These days of a first read are done; should the sync be killed, the next one goes on from here."""
        with self._lock:
            spans = tuple(merged([*self.bookmark.spans, span]))
            self.bookmark = replace(self.bookmark, began=began, start=self.start, spans=spans)
            self.checkpoint()

    def visited(self, began: datetime, parent_id: int) -> None:
        """All parents up to this one are done."""
        with self._lock:
            up_to_parent = max(parent_id, self.bookmark.up_to_parent)
            began = self.bookmark.began or began
            self.bookmark = replace(self.bookmark, began=began, start=self.start, up_to_parent=up_to_parent)
            self.checkpoint()

    def count(self, rows: int) -> None:
        """So many rows were read."""
        with self._lock:
            self._rows += rows

    def finish(self, began: datetime) -> None:
        """All that is to be read is announced; when it has been read, the stream is where it was at that moment."""
        self.cursor.all_announced(lambda: self._state(self.stream.reached(self, began)))

    def checkpoint(self) -> None:
        """Keeps how far it is."""
        if self.remembers:
            self.cursor.checkpoint(self._state(self.bookmark))

    def _state(self, bookmark: Bookmark) -> State:
        column = self.stream.cursor_column
        return {**bookmark.state(column), **self.stream.keep()} if column else {NO_CURSOR_STATE_KEY: True}

    def _end(self) -> None:
        self.is_over.set()
        seconds = time.monotonic() - self._began
        requests = self.stream.requests + self.requests_of_others
        logger.info("%s: %d rows with %d requests in %.1f s", self.stream.name, self._rows, requests, seconds)
