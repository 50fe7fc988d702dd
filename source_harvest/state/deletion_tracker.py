"""What was deleted: the ids that Harvest lists now, compared with those that it listed before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from threading import Event, RLock
from typing import Any

from source_harvest.api.delivered_rows import Row
from source_harvest.api.timestamps import changed_since, timestamp
from source_harvest.errors import HarvestError, Place, schema_errors
from source_harvest.state.known_ids import NO_PARENT, ChildIds, IdsByParent, KnownIds
from source_harvest.state.stream_state import StreamState

logger = logging.getLogger("airbyte")

# When so many ids of children were delivered that no state of `deleted_records` says, its state goes out.
MOST_UNTOLD = 100


@dataclass(frozen=True)
class TrackedStream:
    """A stream whose deleted records are looked for."""

    name: str
    was_read: bool
    """Whether syncs before this one delivered any of its records."""
    was_tracked: bool
    """Whether deletions were looked for in the last of these."""
    is_over: Event
    """Set when this sync has read it."""
    source: str
    """The stream whose list its records are on, inside of, or below."""
    module: str
    """The module of Harvest's that this list belongs to, if it can be switched off."""
    ids_by_parent: Callable[[list[Row]], Iterable[ChildIds]]
    """The ids of its records in rows of that list."""
    is_limited: bool
    """Whether the start date limits it."""
    is_source_limited: bool
    """Whether the start date limits that list."""
    has_parents: bool = False
    """Whether its records belong to others and are gone when these are."""
    is_visited: bool = False
    """Whether its records are read below each of those."""
    delivered: IdsByParent | None = None
    """Records that came in syncs before, of which the tracker may not know."""


class DeletionTracker:
    """Knows the ids of all records that were delivered, and finds those that are not listed any more.

    A list that was read whole says which ids are left; where nothing else needs it whole, it is read whole all the
    same once in `deleted_records_days`. What hangs on a record is also compared whenever that record is read, and is
    gone when it is. A list that could not be read, or that came and went too much meanwhile, says nothing.
    """

    def __init__(self, place: Place, start: datetime | None, days: int, fail: Callable[[HarvestError], None]) -> None:
        """Lists are read whole once in so many `days`. `fail` is told where a row is not as documented."""
        self._place = place
        self._start_date = start and timestamp(start)
        self._days = days
        self._fail = fail
        self._lock = RLock()
        self._start: str | None = None
        self._lists: dict[str, date] = {}
        self._known: dict[str, KnownIds] = {}
        self._untold: dict[str, IdsByParent] = {}
        self._listed: dict[str, set[int]] = {}
        self._whole: set[str] = set()
        self._tracked: list[TrackedStream] = []
        self._tracked_of: dict[str, list[TrackedStream]] = {}
        self._checkpoint: Callable[[], None] = lambda: None
        self._asked_at: Callable[[], datetime | None] = lambda: None
        self._has_news = False
        self._is_settled = False

    # What it remembers.

    def load(self, kept: Mapping[str, Any]) -> None:
        """From what it kept in the state.

        Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError`.
        """
        self._start = kept.get("start")
        if self._start:
            date.fromisoformat(self._start[:10])
        self._lists = {name: date.fromisoformat(day) for name, day in kept.get("lists", {}).items()}
        ids, gone = kept.get("ids", {}), kept.get("gone", {})
        self._known = {name: KnownIds(ids.get(name, ()), gone.get(name)) for name in ids.keys() | gone.keys()}

    def state(self) -> Mapping[str, Any]:
        """What it keeps, as JSON."""
        with self._lock:
            kept = {
                "start": self._start,
                "lists": {name: day.isoformat() for name, day in self._lists.items()},
                "ids": {name: found.ids for name, found in self._known.items() if found.ids},
                "gone": {name: found.gone for name, found in self._known.items() if found.gone},
            }
            return {name: value for name, value in kept.items() if value}

    def untold(self, name: str) -> IdsByParent:
        """Ids of children that were delivered since its state was last emitted, under those of their parents."""
        with self._lock:
            return {parent: {*ids} for parent, ids in self._untold.get(name, {}).items()}

    def emit_state_if_changed(self) -> None:
        """Its state goes out if it says anything new."""
        with self._lock:
            if self._has_news and not self._is_settled:
                self._has_news = False
                self._untold = {}
                self._checkpoint()

    # What it is told of a sync.

    def begin(
        self,
        before: StreamState,
        tracked: list[TrackedStream],
        asked_at: Callable[[], datetime | None],
        checkpoint: Callable[[], None],
    ) -> None:
        """These take part in the sync; `before` is what its own state said. A `checkpoint` emits the next one.

        `asked_at` waits until it is known who asks, and returns that moment; None where deletions cannot be told.
        """
        self._tracked, self._asked_at, self._checkpoint = tracked, asked_at, checkpoint
        self._warn_of_unknown(before)
        for stream in tracked:
            self._tracked_of.setdefault(stream.source, []).append(stream)
            for parent, ids in (stream.delivered or {}).items():
                self._add_below(stream.name, parent, self._of(stream.name).unless_gone(ids))
        start = self._start_date if before == StreamState() else self._start
        self._start = min(start, self._start_date) if start and self._start_date else None

    def _warn_of_unknown(self, before: StreamState) -> None:
        """Of streams that were read without it. Their lists are read whole at once, so that it knows what is left."""
        has_forgotten = before == StreamState()
        unknown = [stream for stream in self._tracked if stream.was_read and (has_forgotten or not stream.was_tracked)]
        for stream in unknown:
            self._lists.pop(stream.source, None)
        if unknown:
            logger.warning(
                "%s: these streams were read without it%s: %s. Of the rows that came so, it does not know those that "
                "are deleted before it has read their list whole, or visited the record that they belong to. Refresh "
                "these streams to be rid of such rows.",
                self._place.name,
                f" after {timestamp(before.cursor)}" if before.cursor else "",
                ", ".join(stream.name for stream in unknown),
            )

    def wait_for_all(self, wait: Callable[[Event], None]) -> None:
        """Waits until all of them have been read."""
        for stream in self._tracked:
            wait(stream.is_over)

    def needs(self, source: str) -> str | None:
        """From which change on it needs a list: None for all of it, and "" where it needs nothing."""
        if source not in self._tracked_of or not self._is_due(source):
            return ""
        return self._scope(source)

    def _scope(self, source: str) -> str | None:
        """From which change on a list tells of all that was delivered; None where only all of it does."""
        streams = self._tracked_of[source]
        is_limited = streams[0].is_source_limited and not any(stream.is_visited for stream in streams)
        return self._start if is_limited else None

    def _is_due(self, source: str) -> bool:
        asked_at, read = self._asked_at(), self._lists.get(source)
        if asked_at is None:
            return False
        return not read or not 0 <= (asked_at.date() - read).days < self._days

    def delivered(self, source: str, rows: list[Row]) -> None:
        """These rows of a list are going to be delivered.

        Its state goes out first: a destination may keep rows that came after the last state of a sync that was killed.
        """
        try:
            with schema_errors(self._place):
                self._add_listed(source, rows)
        except HarvestError as error:  # which is no reason not to deliver them
            self._fail(error)

    def _add_listed(self, source: str, rows: list[Row]) -> None:
        if source not in self._tracked_of:
            return
        ids, streams = {row["id"] for row in rows}, self._tracked_of[source]
        with self._lock:
            self._listed.setdefault(source, set()).update(ids)
            rows = self._since_start(rows, is_limited=streams[0].is_source_limited)
            for stream in streams:
                for members in stream.ids_by_parent(rows):
                    self._add(stream.name, members.group, members.ids)
                    if members.is_whole:
                        self._of(stream.name).current[members.group] = members.ids
                    else:
                        self._of(stream.name).current.pop(members.group, None)
            self.emit_state_if_changed()

    def delivered_children(self, name: str, parent: int, rows: list[Row], *, is_limited: bool) -> bool:
        """These are going to be delivered of what hangs on a record, but for those from before the start date.

        Says whether the stream's own state has to say so until this one's does, which is too large to go out for each
        visit that brings something new.
        """
        with self._lock:
            ids = {row["id"] for row in self._since_start(rows, is_limited=is_limited)}
            is_new = self._add_below(name, parent, ids)
            if sum(map(len, self._untold.values())) >= MOST_UNTOLD:
                self.emit_state_if_changed()
            return is_new and name in self._untold

    def visited_whole(self, name: str, parent: int, ids: set[int]) -> None:
        """These are all that hang on a record."""
        with self._lock:
            self._of(name).current[parent] = ids

    def read_whole(self, source: str, since: str | None) -> None:
        """All of a list was read, or all that changed from a moment on."""
        if source in self._tracked_of:
            scope = self._scope(source)
            if since is None or (scope and since <= scope):
                self._whole.add(source)

    def _since_start(self, rows: list[Row], *, is_limited: bool) -> list[Row]:
        """Those that no start date kept out so far."""
        return changed_since(rows, self._start) if is_limited else rows

    def _add(self, name: str, group: int, ids: set[int]) -> set[int]:
        new = self._of(name).saw(group, ids)
        self._has_news |= bool(new)
        return new

    def _add_below(self, name: str, parent: int, ids: set[int]) -> bool:
        if new := self._add(name, parent, ids):
            self._untold.setdefault(name, {}).setdefault(parent, set()).update(new)
        return bool(new)

    def _of(self, name: str) -> KnownIds:
        return self._known.setdefault(name, KnownIds())

    # What becomes of it.

    def settle(self, began: datetime, is_off: Callable[[str], bool]) -> Iterator[tuple[str, int, bool]]:
        """The records that are gone, and those that are back: stream, id, and whether it is deleted.

        `is_off` says whether a module is switched off, so that a list may be empty though nothing was deleted.
        """
        whole = {source for source in self._whole if self._listed.get(source) or not self._is_off(source, is_off)}
        for stream in self._tracked:
            gone, back = self._settle(
                stream, self._listed.get(stream.source, set()) if stream.source in whole else None
            )
            yield from ((stream.name, id_, id_ in gone) for id_ in sorted(gone | back))
        self._lists.update((source, began.date()) for source in whole)

    def _settle(self, stream: TrackedStream, listed: set[int] | None) -> tuple[set[int], set[int]]:
        """As `KnownIds.settle`, with all ids on the stream's list, where it was read whole."""
        with self._lock:
            self._is_settled = True
            found = self._of(stream.name)
            if stream.has_parents:
                return found.settle(listed)
            if listed is not None:
                found.current[NO_PARENT] = listed
            return found.settle()

    def _is_off(self, source: str, is_off: Callable[[str], bool]) -> bool:
        module = self._tracked_of[source][0].module
        return bool(module) and is_off(module)
