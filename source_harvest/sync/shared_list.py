"""One of Harvest's lists in one sync: requested once, and handed page by page to every stream that is made of it."""

import logging
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import pairwise
from queue import Empty, SimpleQueue
from threading import Event, Lock

from airbyte_cdk.sources.types import Record

from source_harvest.api.pages import Page, Row
from source_harvest.api.request_slots import RequestSlots, SyncAbortedError
from source_harvest.api.timestamps import timestamp
from source_harvest.errors import HarvestError, config_error, schema_errors
from source_harvest.state.date_range import ALL_DAYS, DateRange, merged, missing
from source_harvest.state.deletion_tracker import DeletionTracker
from source_harvest.stream_types.base import HarvestStream
from source_harvest.sync.date_slices import PAGES_PER_SPAN, SPANS_PER_LIST, ListSlice, cut
from source_harvest.sync.stream_run import StreamRun

logger = logging.getLogger("airbyte")

# So far a state may be ahead of Harvest's clock before it is from the future.
CLOCK_TOLERANCE = timedelta(minutes=1)


class SharedList:
    """The reading of one list, in pieces. No page is kept: each is handed to all runs and forgotten.

    The first read of a list that has a business date is cut into spans of days while it turns out to be long. Each
    span is a checkpoint; a read that was killed goes on with the days that are missing, and in the end asks once more
    for what changed since its first attempt began.

    No order of the list is trusted: where the spans found fewer of its entries than were announced when the read
    began, as where an entry has no day, the list is read once more as one, page by page.
    """

    def __init__(
        self,
        source: HarvestStream,
        runs: list[StreamRun],
        slots: RequestSlots,
        tracker: DeletionTracker | None = None,
        *,
        whole: bool = False,
    ) -> None:
        """`whole`: all of the list, whatever its runs need. The `tracker` is told of all that it has."""
        self._source = source
        self._runs = runs
        self._slots = slots
        self._whole = whole
        self._tracker = None if whole else tracker
        self._since: str | None = None
        self._doubts = Event()
        self._is_counted = False
        self._lock = Lock()
        self._is_claimed = False
        self._over = Event()
        self._error: Exception | None = None
        self._began: datetime | None = None
        self._more: SimpleQueue[ListSlice | None] = SimpleQueue()
        self._unread = 0
        self._is_resumed = False
        self._catch_up_since: str | None = None
        self._must_catch_up = False  # entries may move from days not yet read to days already read
        self._must_count = False  # it was cut into spans, which may have missed entries
        self._delivered = source.list_reader.delivered_rows()
        self._announced: int | None = None  # entries of the whole list, by the first answer of its first attempt
        self._found = 0  # of these, in all attempts

    @property
    def requests(self) -> int:
        """How many it took, where no stream of its own counts them."""
        is_counted = any(run.stream is self._source for run in self._runs)
        return 0 if is_counted else self._source.list_reader.requests

    @property
    def is_whole(self) -> bool:
        """Whether all of the list is read, and not only what changed."""
        return self._since is None

    def claim(self) -> bool:
        """True for the first who asks, who then has to read it; the others wait."""
        with self._lock:
            is_first, self._is_claimed = not self._is_claimed, True
        return is_first

    def pieces(self) -> list[ListSlice]:
        """What is known from the start to be read."""
        self._since = self._needed()
        in_spans = [run for run in self._runs if run.stream.takes_at_once]
        unfinished = [run for run in in_spans if run.progress.bookmark.spans]
        began = [run.progress.bookmark.began for run in unfinished if run.progress.bookmark.began]
        # Readers beside them that need changes only find them in the last piece.
        others = [run.stream.list_since(run.progress) for run in self._runs if run not in unfinished]
        self._is_resumed = bool(began) and all(others)
        if self._is_resumed:
            self._began = min(began)
            self._catch_up_since = min([timestamp(self._began - self._source.overlap), *filter(None, others)])
            pieces = [ListSlice(span) for span in self._go_on(unfinished, self._began)]
            self._must_catch_up = bool(pieces)
        else:
            pieces = [ListSlice()]
            for run in in_spans:
                run.progress.forget_spans()
        pieces = pieces or [self._changes()]
        self._unread = len(pieces)
        return pieces

    def _go_on(self, runs: list[StreamRun], began: datetime) -> list[DateRange]:
        """The days that not all of the runs delivered. What was counted holds where they agree on the others."""
        gaps = merged(gap for run in runs for gap in missing(run.progress.bookmark.spans))
        done = missing(gaps)
        agreed = next(
            (b for b in (r.progress.bookmark for r in runs) if b.began == began and list(b.spans) == done), None
        )
        self._must_count = True
        self._announced, self._found = (agreed.entries, agreed.found) if agreed else (None, 0)
        for run in runs:
            run.progress.go_on(began, done, self._announced, self._found)
        return gaps

    def more_pieces(self) -> Iterator[ListSlice]:
        """What turns out to be left, until there will be no more."""
        while True:
            try:
                piece = self._more.get(timeout=1)
            except Empty:
                self._slots.check()
                continue
            if piece is None:
                return
            yield piece

    def wait(self) -> datetime:
        """Waits until the list has been read; returns when that began, by Harvest's clock.

        Raises what reading it raised, or `SyncAbortedError`.
        """
        self._slots.wait(self._over)
        if self._began is None or self._error:
            raise self._error or SyncAbortedError
        return self._began

    def fail(self, error: Exception) -> None:
        """It will not be read, and whoever waits for it gets the same error."""
        self._error = error
        self._over.set()

    def read(self, piece: ListSlice) -> Iterator[Record]:
        """The records that the pages of a piece yield at once, of whichever stream.

        Raises `HarvestError`; whoever waits for the list then gets the same.
        """
        try:
            if self._error is None:
                with schema_errors(self._source.place):
                    yield from self._read(piece)
        except Exception as error:
            self._error = error
            raise
        finally:
            self._settle()

    def _read(self, piece: ListSlice) -> Iterator[Record]:
        since = piece.changed_since or self._since
        is_first, found = True, 0
        for page in self._source.list_reader.complete_pages(
            {"updated_since": since, **piece.span.params}, self._doubts.set
        ):
            self._slots.check()
            if self._began is None:
                self._look_at(page)
                if self._since != since:
                    self._put_off([piece])
                    return
            elif self._is_resumed and page.sent and page.sent + self._tolerance < self._began:
                raise config_error(f"The state of {self._source.name} is from the future. Clear it to read it anew.")
            if is_first and (parts := self._cut(piece, page))[1]:
                yield from self._read_newest(page, *parts)
                return
            is_first = False
            found += self._count(page.rows)
            yield from self._records(page.rows)
        self._finished(piece, found)

    def _read_newest(self, page: Page, done: DateRange | None, rest: list[DateRange]) -> Iterator[Record]:
        """The days that the first page of a long span holds for certain; the rest of it will be read in pieces."""
        if done:
            rows = [row for row in page.rows if (self._day(row) or date.min) >= (done.first or date.min)]
            found = self._count(rows)
            yield from self._records(rows)
            self._finished(ListSlice(done), found)
        self._must_catch_up = True
        self._put_off([ListSlice(part) for part in rest])

    def _put_off(self, pieces: list[ListSlice]) -> None:
        """They will be read by whoever is free."""
        with self._lock:
            self._unread += len(pieces)
        for piece in pieces:
            self._more.put(piece)

    def _cut(self, piece: ListSlice, page: Page) -> tuple[DateRange | None, list[DateRange]]:
        """As `spans.cut`; no parts where a span is better read page by page, or its page is not newest first."""
        is_read_whole = self._is_counted or any(run.progress.is_first_read for run in self._runs)
        if not (is_read_whole and self._source.business_date and page.entries and page.rows):
            return None, []
        if piece.changed_since or piece.as_one:
            return None, []
        share = (self._announced or 0) / len(page.rows) / SPANS_PER_LIST
        pages_left = math.ceil(page.entries / len(page.rows)) - 1
        if pages_left < max(PAGES_PER_SPAN, share):
            return None, []
        days = [day for row in page.rows if (day := self._day(row)) and piece.span.covers(day, day)]
        # The order of the list was observed, and is documented nowhere (B50 of docs/harvest-behaviour.md).
        is_newest_first = len(days) == len(page.rows) and all(newer >= older for newer, older in pairwise(days))
        if not is_newest_first:
            return None, []
        self._must_count = True
        return cut(piece.span, days, pages_left)

    def _day(self, row: Row) -> date | None:
        with suppress(ValueError, TypeError):
            return date.fromisoformat(row.get(self._source.business_date))  # type: ignore[arg-type]
        return None

    def _count(self, rows: list[Row]) -> int:
        """How many of the rows are among the entries that the list had when its read began, and were not counted.

        In a read that goes on, those that changed since it began may have been counted before their day did.
        """
        if not self._must_count:
            return 0
        column = "updated_at" if self._is_resumed else "created_at"
        began = timestamp(self._began) if self._began else ""
        return self._delivered.count(row for row in rows if str(row.get(column) or "") < began)

    def _records(self, rows: list[Row]) -> Iterator[Record]:
        rows = self._delivered.new(rows)
        if self._tracker:
            self._tracker.delivered(self._source.name, rows)
        for run in self._runs:
            stream = run.stream
            if self._whole:
                stream.add_whole_list(type(self._source), rows)
                continue
            yield from self._records_of(run, rows)

    def _records_of(self, run: StreamRun, rows: list[Row]) -> Iterator[Record]:
        """The records of one run. What is at odds in them fails its stream, and neither the list nor another."""
        stream, count = run.stream, 0
        try:
            with schema_errors(stream.place):
                for row in stream.records_from(type(self._source), rows, run.progress):
                    if record := run.record(row):
                        count += 1
                        yield record
        except HarvestError as error:
            stream.odd_rows.fail(error)
        run.count(count)

    def _needed(self) -> str | None:
        """The earliest change that any of the runs needs; None where one needs all."""
        if self._whole or self._source.list_key is None:
            return None
        needed = [run.stream.list_since(run.progress) for run in self._runs]
        if self._tracker:
            of_tracker = self._tracker.needs(self._source.name)
            self._is_counted = of_tracker != ""
            needed.append(of_tracker)
        return None if None in needed else min(filter(None, needed))

    def _look_at(self, page: Page) -> None:
        """What the first answer says of the list: when it was read, how long it is, and which states are wrong."""
        self._began, self._announced = page.moment, page.entries
        for run in self._runs:
            if type(run.stream) is type(self._source) and page.entries:
                run.progress.expect(page.entries)
            if page.sent and run.progress.bookmark.latest > page.sent + self._tolerance:
                logger.warning(
                    "The state of %s is from the future, by Harvest's clock it is %s: reading it anew",
                    run.stream.name,
                    timestamp(page.sent),
                )
                run.progress.start_anew()
        self._since = self._needed()

    def _finished(self, piece: ListSlice, found: int) -> None:
        """A piece was read to its end; where it is not the whole list, that is worth remembering."""
        with self._lock:
            self._found += found
        if piece.changed_since or piece.span == ALL_DAYS or self._began is None:
            return
        for run in self._runs:
            if run.progress.is_first_read and run.stream.takes_at_once:
                run.progress.finished_span(self._began, piece.span, self._announced, found)

    def _settle(self) -> None:
        """One piece less is under way. After the last one, what is still owed is read, and then all is over."""
        with self._lock:
            self._unread -= 1
            if self._unread:
                return
            if self._error is None and (owed := self._owed()):
                self._unread = 1
                self._more.put(owed)
                return
        if self._tracker and not (self._error or self._doubts.is_set() or self._is_resumed):
            self._tracker.read_whole(self._source.name, self._since)
        self._more.put(None)
        self._over.set()

    def _owed(self) -> ListSlice | None:
        """What is to be read after all else: first what changed meanwhile, and then the list as one, if it must be."""
        if self._must_catch_up:
            self._must_catch_up = False
            return self._changes()
        if self._must_count and (self._announced is None or self._found < self._announced):
            self._must_count = False
            logger.info(
                "%s: %d of %s entries were found day by day, so the list is read once more page by page",
                *(
                    self._source.name,
                    self._found,
                    "an unknown number of" if self._announced is None else self._announced,
                ),
            )
            self._doubts.clear()
            return ListSlice(as_one=True)
        return None

    def _changes(self) -> ListSlice:
        """What changed since the read began, in whichever attempt."""
        if self._began is None:
            raise SyncAbortedError
        return ListSlice(changed_since=self._catch_up_since or timestamp(self._began - self._source.overlap))

    @property
    def _tolerance(self) -> timedelta:
        return max(self._source.overlap, CLOCK_TOLERANCE)
