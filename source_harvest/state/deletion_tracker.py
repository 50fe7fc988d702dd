"""Finds deleted records: compares the ids that Harvest lists now with the ids that were delivered before."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from threading import Event, RLock
from typing import Any

from source_harvest.api.timestamps import Row, changed_since, timestamp
from source_harvest.errors import HarvestError, Place, schema_errors
from source_harvest.state.known_ids import NO_PARENT, ChildIds, IdsByParent, KnownIds
from source_harvest.state.stream_state import StreamState

logger = logging.getLogger("airbyte")

# The state of `deleted_records` is emitted when it lacks this many delivered child ids.
MOST_UNTOLD = 100


@dataclass(frozen=True)
class TrackedStream:
    """A stream whose deletions are tracked."""

    name: str
    was_read: bool
    """Whether earlier syncs delivered records of it."""
    was_tracked: bool
    """Whether the last sync tracked its deletions."""
    is_over: Event
    """Set when the stream has ended in this sync, whether it succeeded or failed."""
    source: str
    """The stream whose list is compared: itself or its parent."""
    module: str
    """Harvest's module for that list, if it can be switched off; else empty."""
    ids_by_parent: Callable[[list[Row]], Iterable[ChildIds]]
    """The ids of its records in rows of that list, grouped by parent."""
    is_limited: bool
    """Whether the start date limits the stream."""
    is_source_limited: bool
    """Whether the start date limits that list."""
    has_parents: bool = False
    """Whether its records belong to parents, and are deleted with them."""
    is_visited: bool = False
    """Whether its records are read with one request per parent."""
    delivered: IdsByParent | None = None
    """Ids that earlier syncs delivered and the tracker's state may lack."""


class DeletionTracker:
    """Keeps the ids of all delivered records, and finds those that Harvest no longer lists.

    A list that was read whole shows which ids remain. If no stream needs it whole, it is read whole once in
    `deleted_records_days` all the same. Children are also compared whenever their parent is read, and are deleted
    with it. A list that failed, or that changed too much while it was read, shows nothing.
    """

    def __init__(self, place: Place, start: datetime | None, days: int, fail: Callable[[HarvestError], None]) -> None:
        """Lists are read whole once in `days` days. `fail` receives the error for a row that is not as documented."""
        self._place = place
        self._start_date = start and timestamp(start)
        self._days = days
        self._fail = fail
        self._lock = RLock()
        self._start: str | None = None
        self._read_on: dict[str, date] = {}  # list -> the day on which it was last read whole
        self._known: defaultdict[str, KnownIds] = defaultdict(KnownIds)
        self._listed: defaultdict[str, set[int]] = defaultdict(set)
        self._whole: set[str] = set()
        self._tracked: dict[str, TrackedStream] = {}
        self._by_source: defaultdict[str, list[TrackedStream]] = defaultdict(list)
        self._checkpoint: Callable[[], None] = lambda: None
        self._asked_at: Callable[[], datetime | None] = lambda: None
        self._is_settled = False

    # Its state.

    def load(self, kept: Mapping[str, Any]) -> None:
        """Restores what `state` returned. Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError`."""
        self._start = kept.get("start")
        if self._start:
            date.fromisoformat(self._start[:10])
        self._read_on = {name: date.fromisoformat(day) for name, day in kept.get("lists", {}).items()}
        ids, gone = kept.get("ids", {}), kept.get("gone", {})
        self._known.update({name: KnownIds(ids.get(name, ()), gone.get(name)) for name in ids.keys() | gone.keys()})

    def state(self) -> Mapping[str, Any]:
        """Its part of the state of `deleted_records`, as JSON; see docs/state.md."""
        with self._lock:
            kept = {
                "start": self._start,
                "lists": {name: day.isoformat() for name, day in self._read_on.items()},
                "ids": {name: found.ids for name, found in self._known.items() if found.ids},
                "gone": {name: found.gone for name, found in self._known.items() if found.gone},
            }
            return {name: value for name, value in kept.items() if value}

    def untold(self, name: str) -> IdsByParent:
        """Parent id -> ids of the stream's records that were delivered since this tracker's state was last emitted."""
        with self._lock:
            return {parent: {*ids} for parent, ids in self._known[name].new.items()}

    def emit_state_if_changed(self) -> None:
        """Emits its state if it has new ids."""
        with self._lock:
            if not self._is_settled and any(found.new for found in self._known.values()):
                self._checkpoint()

    # During a sync.

    def begin(
        self,
        last_state: StreamState,
        tracked: list[TrackedStream],
        asked_at: Callable[[], datetime | None],
        checkpoint: Callable[[], None],
    ) -> None:
        """Begins a sync of the `tracked` streams. `last_state` is the one of `deleted_records`.

        `asked_at` waits for the user's record and returns when Harvest sent it; None if the user may not see all
        records. `checkpoint` emits the state.
        """
        self._tracked = {stream.name: stream for stream in tracked}
        self._asked_at, self._checkpoint = asked_at, checkpoint
        self._warn_of_unknown(last_state)
        for stream in tracked:
            self._by_source[stream.source].append(stream)
            self._known[stream.name].add_unless_gone(stream.delivered or {})
        start = self._start_date if last_state == StreamState() else self._start
        self._start = min(start, self._start_date) if start and self._start_date else None

    def _warn_of_unknown(self, last_state: StreamState) -> None:
        """Warns of streams that were read without it, and lets their lists be read whole in this sync."""
        has_forgotten, tracked = last_state == StreamState(), self._tracked.values()
        unknown = [stream for stream in tracked if stream.was_read and (has_forgotten or not stream.was_tracked)]
        for stream in unknown:
            self._read_on.pop(stream.source, None)
        if unknown:
            logger.warning(
                "%s: these streams were read without it%s: %s. Rows that came then, and are deleted before their list "
                "is read whole (or their invoice or estimate visited), are not reported. To remove such rows, refresh "
                "these streams.",
                self._place.name,
                f" after {timestamp(last_state.cursor)}" if last_state.cursor else "",
                ", ".join(stream.name for stream in unknown),
            )

    def wait_for_all(self, wait: Callable[[Event], None]) -> None:
        """Waits until all tracked streams have ended."""
        for stream in self._tracked.values():
            wait(stream.is_over)

    def needs(self, source: str) -> str | None:
        """The earliest change that it needs of a list: None for the whole list, "" if it needs nothing."""
        if source not in self._by_source or (asked_at := self._asked_at()) is None:
            return ""
        read_on = self._read_on.get(source)
        is_due = not read_on or not 0 <= (asked_at.date() - read_on).days < self._days
        return self._scope(source) if is_due else ""

    def _scope(self, source: str) -> str | None:
        """The earliest change from which a list has all delivered records; None for the whole list."""
        streams = self._by_source[source]
        is_limited = streams[0].is_source_limited and not any(stream.is_visited for stream in streams)
        return self._start if is_limited else None

    def delivered(self, source: str, rows: list[Row]) -> None:
        """Adds the ids of list rows that are about to be delivered, and emits its state if they are new.

        The state comes before the rows: if the sync is killed, the destination may keep rows after the last state.
        """
        try:
            if source in self._by_source:
                with self._lock, schema_errors(self._place):
                    self._add_listed(source, rows)
                    self.emit_state_if_changed()
        except HarvestError as error:  # the rows are delivered all the same
            self._fail(error)

    def _add_listed(self, source: str, rows: list[Row]) -> None:
        streams = self._by_source[source]
        self._listed[source].update(row["id"] for row in rows)
        rows = changed_since(rows, self._start if streams[0].is_source_limited else None)
        for stream in streams:
            known = self._known[stream.name]
            for group, ids, is_whole in stream.ids_by_parent(rows):
                known.add(group, ids)
                if is_whole:
                    known.current[group] = ids
                else:
                    known.current.pop(group, None)

    def delivered_children(self, name: str, parent: int, rows: list[Row]) -> bool:
        """Adds the ids of child rows of a parent that are about to be delivered.

        Returns whether the child stream must keep them in its own state for now: this tracker's state is too large to
        emit after each visit.
        """
        with self._lock:
            known = self._known[name]
            rows = changed_since(rows, self._start if self._tracked[name].is_limited else None)
            is_new = known.add(parent, {row["id"] for row in rows})
            if sum(len(ids) for found in self._known.values() for ids in found.new.values()) >= MOST_UNTOLD:
                self.emit_state_if_changed()
            return is_new and bool(known.new)

    def visited_whole(self, name: str, parent: int, ids: set[int]) -> None:
        """These are all children of a parent."""
        with self._lock:
            self._known[name].current[parent] = ids

    def read_whole(self, source: str, since: str | None) -> None:
        """All of a list was read, or all rows that changed since a time."""
        if source in self._by_source:
            scope = self._scope(source)
            if since is None or (scope and since <= scope):
                self._whole.add(source)

    # At the end of a sync.

    def settle(self, began: datetime, is_off: Callable[[str], bool]) -> Iterator[tuple[str, int, bool]]:
        """The records that are newly deleted or back: stream, id, and whether it is deleted.

        `is_off` says whether a module is switched off; its lists may then be empty though nothing was deleted.
        """
        whole = {
            source
            for source in self._whole
            if self._listed[source] or not ((module := self._by_source[source][0].module) and is_off(module))
        }
        for stream in self._tracked.values():
            listed = self._listed[stream.source] if stream.source in whole else None
            with self._lock:
                self._is_settled = True
                known = self._known[stream.name]
                if listed is not None and not stream.has_parents:
                    known.current[NO_PARENT] = listed
                gone, back = known.settle(listed if stream.has_parents else None)
            yield from ((stream.name, id_, id_ in gone) for id_ in sorted(gone | back))
        self._read_on.update((source, began.date()) for source in whole)
