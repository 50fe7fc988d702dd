"""What was deleted: the ids that Harvest lists now, compared with those that it listed before."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from source_harvest.answer import Row
from source_harvest.bookmark import Bookmark, timestamp
from source_harvest.children import BelowEachParent
from source_harvest.derived import EmbeddedStream
from source_harvest.errors import HarvestError, Place, as_documented, config_error
from source_harvest.inhabitants import NO_GROUP, Groups, Inhabitants
from source_harvest.records import changed_since
from source_harvest.resource import Slice
from source_harvest.signed_in import PerUserStream
from source_harvest.stream import HarvestStream
from source_harvest.transport import Transport

if TYPE_CHECKING:
    from source_harvest.listing import Listing
    from source_harvest.reader import Reader

logger = logging.getLogger("airbyte")

# So many rows below records may be delivered of which the streams' own states tell, before this large one goes out.
MOST_UNTOLD = 100


class CensusStream(PerUserStream):
    """The records that were deleted, of the streams that are read beside it and whose records have an id.

    A list that was read whole says which ids are left; where nothing else needs it whole, it is read whole all the
    same once in `deleted_records_days`. What hangs on a record is also compared whenever that record is read, and is
    gone when it is. A list that could not be read, or that came and went too much meanwhile, says nothing.
    """

    kept_in_state = ("start", "lists", "ids", "gone")

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._days = transport.settings.deleted_records_days
        self._census_lock = RLock()
        self._start: str | None = None
        self._lists: dict[str, date] = {}
        self._inhabitants: dict[str, Inhabitants] = {}
        self._untold: dict[str, Groups] = {}
        self._listed: dict[type[HarvestStream], set[int]] = {}
        self._whole: set[type[HarvestStream]] = set()
        self._covered: list[Reader] = []
        self._streams: dict[type[HarvestStream], list[HarvestStream]] = {}
        self._has_news = False
        self._is_settled = False

    @override
    def probe(self, place: Place | None = None) -> None:
        place = place or self.place
        with self._transport.explained(place):
            self._admit(self._transport.get_once(f"{self.url_base}users/me", place))

    def _admit(self, user: Row) -> None:
        if "administrator" not in (user.get("access_roles") or ()):
            raise config_error(
                "Only an Administrator sees all records. What another user sees no more need not be deleted, so "
                f"{self.name} is not read for one. Use an Administrator's credentials, or deselect the stream."
            )

    # What it remembers.

    @override
    def recall(self, kept: Mapping[str, Any]) -> None:
        self._start = kept.get("start")
        if self._start:
            date.fromisoformat(self._start[:10])
        self._lists = {name: date.fromisoformat(day) for name, day in kept.get("lists", {}).items()}
        ids, gone = kept.get("ids", {}), kept.get("gone", {})
        self._inhabitants = {name: Inhabitants(ids.get(name, ()), gone.get(name)) for name in ids.keys() | gone.keys()}

    @override
    def keep(self) -> Mapping[str, Any]:
        with self._census_lock:
            kept = {
                "start": self._start,
                "lists": {name: day.isoformat() for name, day in self._lists.items()},
                "ids": {name: found.ids for name, found in self._inhabitants.items() if found.ids},
                "gone": {name: found.gone for name, found in self._inhabitants.items() if found.gone},
            }
            return {name: value for name, value in kept.items() if value}

    def untold(self, stream: HarvestStream) -> Groups:
        """What its state does not say yet of what hangs on records."""
        with self._census_lock:
            return {parent: {*ids} for parent, ids in self._untold.get(stream.name, {}).items()}

    def tell_news(self) -> None:
        """Its state goes out if it says anything new."""
        with self._census_lock:
            if self._has_news and not self._is_settled:
                self._has_news = False
                self._untold = {}
                self._own.checkpoint()

    # What it is told of a sync.

    def begin(self, own: Reader, readers: Iterable[Reader], user: Listing) -> None:
        """These take part in the sync; the listing is of the user."""
        self._own, self._user = own, user
        if not own.remembers:
            return
        self._covered = [reader for reader in readers if reader.stream.primary_key == "id"]
        self._warn_of_unknown(own)
        for reader in self._covered:
            reader.is_counted = True
            self._streams.setdefault(reader.stream.lists()[0], []).append(reader.stream)
            if isinstance(reader.stream, BelowEachParent):
                reader.stream.census = self
                for parent, ids in reader.stream.delivered.items():
                    self._saw_below(reader.stream, parent, self._of(reader.stream).unless_gone(ids))
        start = self._transport.settings.start and timestamp(self._transport.settings.start)
        before = start if own.bookmark == Bookmark() else self._start
        self._start = min(before, start) if before and start else None

    def _warn_of_unknown(self, own: Reader) -> None:
        """Of streams that were read without it. Their lists are read whole at once, so that it knows what is left."""
        has_forgotten = own.bookmark == Bookmark()
        unknown = [
            reader.stream
            for reader in self._covered
            if (reader.bookmark.cursor or reader.bookmark.began) and (has_forgotten or not reader.bookmark.is_counted)
        ]
        for stream in unknown:
            self._lists.pop(self.sibling(stream.lists()[0]).name, None)
        if unknown:
            logger.warning(
                "%s: these streams were read without it%s: %s. Of the rows that came so, it does not know those that "
                "are deleted before it has read their list whole, or visited the record that they belong to. Refresh "
                "these streams to be rid of such rows.",
                self.name,
                f" after {timestamp(own.bookmark.cursor)}" if own.bookmark.cursor else "",
                ", ".join(stream.name for stream in unknown),
            )

    def needs(self, source: type[HarvestStream]) -> str | None:
        """From which change on it needs a list: None for all of it, and "" where it needs nothing."""
        if source not in self._streams or not self._is_active() or not self._is_due(source):
            return ""
        return self._scope(source)

    def _scope(self, source: type[HarvestStream]) -> str | None:
        """From which change on a list tells of all that was delivered; None where only all of it does."""
        has_children = any(isinstance(stream, BelowEachParent) for stream in self._streams[source])
        return self._start if source.limited_by_start_date and not has_children else None

    def saw(self, source: type[HarvestStream], rows: list[Row]) -> None:
        """These rows of a list are going to be delivered.

        Its state goes out first: a destination may keep rows that came after the last state of a sync that was killed.
        """
        try:
            with as_documented(self.place):
                self._saw_listed(source, rows)
        except HarvestError as error:  # which is no reason not to deliver them
            self.odd_rows.fail(error)

    def _saw_listed(self, source: type[HarvestStream], rows: list[Row]) -> None:
        if source not in self._streams:
            return
        ids = {row["id"] for row in rows}
        with self._census_lock:
            self._listed.setdefault(source, set()).update(ids)
            rows = self._delivered(source, rows)
            for stream in self._streams[source]:
                for members in stream.members(rows):
                    self._saw(stream, members.group, members.ids)
                    if members.is_whole:
                        self._of(stream).current[members.group] = members.ids
                    else:
                        self._of(stream).current.pop(members.group, None)
            self.tell_news()

    def visited(self, stream: HarvestStream, parent: int, rows: list[Row]) -> bool:
        """These are going to be delivered of what hangs on a record, but for those from before the start date.

        Says whether the stream's own state has to say so until this one's does, which is too large to go out for each
        visit that brings something new.
        """
        with self._census_lock:
            is_new = self._saw_below(stream, parent, {row["id"] for row in self._delivered(type(stream), rows)})
            if sum(map(len, self._untold.values())) >= MOST_UNTOLD:
                self.tell_news()
            return is_new and stream.name in self._untold

    def visited_whole(self, stream: HarvestStream, parent: int, ids: set[int]) -> None:
        """These are all that hang on a record."""
        with self._census_lock:
            self._of(stream).current[parent] = ids

    def read_whole(self, source: type[HarvestStream], since: str | None) -> None:
        """All of a list was read, or all that changed from a moment on."""
        if source in self._streams:
            scope = self._scope(source)
            if since is None or (scope and since <= scope):
                self._whole.add(source)

    def _delivered(self, kind: type[HarvestStream], rows: list[Row]) -> list[Row]:
        """Those that no start date kept out so far."""
        return changed_since(rows, self._start) if kind.limited_by_start_date else rows

    def _saw(self, stream: HarvestStream, group: int, ids: set[int]) -> set[int]:
        new = self._of(stream).saw(group, ids)
        self._has_news |= bool(new)
        return new

    def _saw_below(self, stream: HarvestStream, parent: int, ids: set[int]) -> bool:
        if new := self._saw(stream, parent, ids):
            self._untold.setdefault(stream.name, {}).setdefault(parent, set()).update(new)
        return bool(new)

    def _of(self, stream: HarvestStream) -> Inhabitants:
        return self._inhabitants.setdefault(stream.name, Inhabitants())

    def _is_active(self) -> bool:
        """Whether it may compare at all, which is known once it is known who asks."""
        with suppress(HarvestError), as_documented(self.place):
            self._user.wait()
            self._admit(self._asked_by)
            return True
        return False

    def _is_due(self, source: type[HarvestStream]) -> bool:
        read = self._lists.get(self.sibling(source).name)
        if not read:
            return True
        return not 0 <= (self._user.wait().date() - read).days < self._days

    # What becomes of it.

    @override
    def take(self, source: type[HarvestStream], rows: list[Row], reader: Reader) -> Iterable[Row]:
        self._asked_at = time.monotonic()
        return super().take(source, rows, reader)

    @override
    def slices(self, reader: Reader, began: datetime) -> Iterator[Slice]:
        self._admit(self._asked_by)
        if not reader.remembers:
            logger.warning("%s: nothing to compare with, as it is not read incrementally", self.name)
        for other in self._covered:
            self._transport.gate.wait(other.is_over)
        yield {"began": began}

    @override
    def read_slice(self, stream_slice: Slice) -> Iterator[Row]:
        began = stream_slice["began"]
        now = timestamp(began + timedelta(seconds=time.monotonic() - self._asked_at))
        whole = {source for source in self._whole if self._listed.get(source) or not self._is_off(source)}
        for stream in (reader.stream for reader in self._covered):
            source = stream.lists()[0]
            gone, back = self._settle(stream, self._listed.get(source, set()) if source in whole else None)
            for id_ in sorted(gone | back):
                row = {"stream": stream.name, "record_id": id_, "detected_at": now, "is_deleted": id_ in gone}
                yield self._shape.record(row)
        self._lists.update((self.sibling(source).name, began.date()) for source in whole)

    def _settle(self, stream: HarvestStream, listed: set[int] | None) -> tuple[set[int], set[int]]:
        """As `Inhabitants.settle`, with all ids on the stream's list, where it was read whole."""
        with self._census_lock:
            self._is_settled = True
            found = self._of(stream)
            if isinstance(stream, BelowEachParent | EmbeddedStream):
                return found.settle(listed)
            if listed is not None:
                found.current[NO_GROUP] = listed
            return found.settle()

    def _is_off(self, source: type[HarvestStream]) -> bool:
        """Whether a list may be empty because the account has switched its module off, and nothing was deleted."""
        return bool(source.module) and self._transport.is_off(source.module)
