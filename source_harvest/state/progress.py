"""A stream's progress in one sync: its last state, what was read since, and its next state."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event, RLock
from typing import Any, ClassVar, Protocol

from airbyte_cdk.models import (
    AirbyteEstimateTraceMessage,
    AirbyteMessage,
    AirbyteTraceMessage,
    EstimateType,
    TraceType,
    Type,
)
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_harvest.api.timestamps import Row
from source_harvest.errors import config_error
from source_harvest.state.date_range import DateRange, merged
from source_harvest.state.deletion_tracker import DeletionTracker
from source_harvest.state.stream_state import Attempt, ParentScope, StreamState

logger = logging.getLogger("airbyte")


class _StatefulStream(Protocol):
    """What `StreamProgress` needs from a stream; `HarvestStream` documents it."""

    name: str
    minds_start_date: ClassVar[bool]
    cursor_column: str | None
    start: str | None

    def since(self, last: StreamState) -> str | None: ...

    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]: ...


@dataclass(eq=False)
class StreamProgress:
    """The progress of one stream in one sync."""

    stream: _StatefulStream
    stream_state: StreamState
    """First that of the last sync."""
    emit: Callable[[Any], None]
    """Queues a message behind the records read so far, so that no state overtakes the rows it covers."""
    remembers: bool
    """Whether the next sync gets the state of this one; false for a full refresh, which emits no checkpoints."""
    tracker: DeletionTracker | None = None
    """Tracks the stream's deletions; None if they are not tracked."""
    has_all_rows: bool = False
    """Whether this sync itself read all rows of its lists that the stream holds, not only changes."""
    has_left_out: bool = False
    """Whether a row could not be written, so that no state may cover it."""
    is_over: Event = field(default_factory=Event)
    """Set when the stream has ended, whether it succeeded or failed."""
    _account: str | None = None
    _lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        last, start = self.stream_state, self.stream.start
        if last.cursor and not last.account:  # another connector's state does not give its start date
            self.stream_state = replace(last, start=start)
        elif not last.reaches_back_to(start):
            logger.info("%s: the start date was %s and is earlier now, so all is read", self.stream.name, last.start)
            self.stream_state = StreamState(account=last.account)

    def belongs_to(self, account: str) -> None:
        """Sets the account that its next states name.

        Raises a config `HarvestError` if its last state is of another account.
        """
        if self.stream_state.account not in {None, account}:
            raise config_error(
                f"The state of {self.stream.name} is of the Harvest account {self.stream_state.account}, and the "
                f"source now reads {account}: one table would hold rows of two accounts. Clear the connection's "
                "data, or make a connection for each account."
            )
        self._account = account

    def track(self, tracker: DeletionTracker | None) -> None:
        """Sets who tracks deletions. Called before any row is read."""
        self.tracker = tracker
        if self.stream_state.is_counted and not tracker:
            self.checkpoint()  # else the last state says that rows to come are tracked

    def expect(self, rows: int) -> None:
        """Emits an estimate of how many rows will come."""
        estimate = AirbyteEstimateTraceMessage(name=self.stream.name, type=EstimateType.STREAM, row_estimate=rows)
        trace = AirbyteTraceMessage(type=TraceType.ESTIMATE, emitted_at=time.time() * 1000, estimate=estimate)
        self.emit(AirbyteMessage(type=Type.TRACE, trace=trace))

    @property
    def since(self) -> str | None:
        """The earliest change to read; None for everything."""
        return max(filter(None, (self.stream.since(self.stream_state), self.stream.start)), default=None)

    @property
    def complete_from(self) -> str | None:
        """The earliest change that will have been delivered after a complete read; None for every change."""
        if self.stream.minds_start_date:
            return None
        since, start = self.stream.since(self.stream_state), self.stream.start
        return self.stream_state.start if since and since >= (start or since) else start

    @property
    def is_first_read(self) -> bool:
        """Whether the stream has a cursor and was never read to its end."""
        return self.stream_state.cursor is None and self.stream.cursor_column is not None

    def set_finished_days(
        self, began: datetime | None, days: tuple[DateRange, ...], entries: int | None, found: int
    ) -> None:
        """Sets the days that an unfinished first read has finished, which delivered `found` of the list's `entries`."""
        self.stream_state = replace(self.stream_state, began=began, finished_days=days, entries=entries, found=found)

    def add_finished_days(self, began: datetime, days: DateRange, entries: int | None = None, found: int = 0) -> None:
        """Adds finished days of a first read, which delivered `found` of the list's `entries`. Emits a checkpoint."""
        with self._lock:
            last = self.stream_state
            finished = tuple(merged([*last.finished_days, days]))
            self.set_finished_days(began, finished, entries, last.found + found)
            self.checkpoint()

    def visited(self, began: datetime, parent_id: int, unread: tuple[int, ...]) -> None:
        """All due parents up to this one were visited, except the `unread`. Emits a checkpoint."""
        with self._lock:
            last = self.stream_state
            others = (other for other in last.attempts if other.up_to_parent > parent_id)
            attempts = (*others, Attempt(began, parent_id))
            self.stream_state = replace(last, began=last.began or began, attempts=attempts, unread=unread)
            self.checkpoint()

    def begin_visits(self, visit: ParentScope) -> None:
        """Sets which parents are due, and forgets unfinished visits if others were due then."""
        if self.stream_state.visit is not visit:
            self.stream_state = replace(self.stream_state, visit=visit, began=None, attempts=())

    def children(self, parent_id: int, pages: Iterable[list[Row]], doubts: Event) -> Iterator[list[Row]]:
        """A parent's child rows by page, once the tracker has them. `doubts` is set when some may be missing."""
        ids: set[int] = set()
        for rows in pages:
            ids.update(row["id"] for row in rows)
            if self.tracker and self.tracker.delivered_children(self.stream.name, parent_id, rows):
                self.checkpoint()  # else a killed sync would forget what it delivered
            yield rows
        if self.tracker and not doubts.is_set():
            self.tracker.visited_whole(self.stream.name, parent_id, ids)

    def checkpoint(self) -> None:
        """Emits the current state, unless this is a full refresh or the state says nothing."""
        if self.remembers and self.stream.cursor_column:
            with self._lock:  # so that no older state follows a newer one
                self.emit_state(self.stream_state)

    def emit_state(self, stream_state: StreamState) -> None:
        """Emits a state, with the stream's extra keys. Called by a thread that read rows which it covers."""
        if self.has_left_out:
            return
        state: Mapping[str, Any] = {NO_CURSOR_STATE_KEY: True}
        if column := self.stream.cursor_column:
            is_tracked = self.tracker is not None
            stream_state = replace(stream_state, start=self.complete_from, account=self._account, is_counted=is_tracked)
            state = {**stream_state.state(column), **self.stream.extra_state(self)}
        states = ConnectorStateManager()
        states.update_state_for_stream(self.stream.name, None, state)
        self.emit(states.create_state_message(self.stream.name, None))
