"""One of Harvest's lists in one sync: read once, and passed page by page to every stream that is made of it."""

import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from threading import Event, Lock

from airbyte_cdk.sources.types import Record
from typing_extensions import override

from source_harvest.api.delivered_rows import DeliveredRows
from source_harvest.api.pages import Page
from source_harvest.api.request_slots import RequestSlots, SyncAbortedError
from source_harvest.api.timestamps import Row, timestamp
from source_harvest.errors import HarvestError, config_error, schema_errors
from source_harvest.state.date_range import ALL_DAYS, DateRange, merged, missing
from source_harvest.state.deletion_tracker import DeletionTracker
from source_harvest.state.stream_state import StreamState
from source_harvest.stream_types.base import HarvestStream
from source_harvest.sync.date_slices import ListSlice, SliceQueue, day_of
from source_harvest.sync.stream_run import StreamRun

logger = logging.getLogger("airbyte")

# A state may be this far ahead of Harvest's clock before it counts as from the future.
CLOCK_TOLERANCE = timedelta(minutes=1)


class SharedList:
    """Reads one list in slices. No page is kept: each is passed to all runs and dropped.

    The first read of a long list with a business date is cut into date ranges. Each finished range is a checkpoint, and
    a resumed read starts with the missing ranges. Last come the entries changed since the first attempt began.

    The list's order is not trusted: if the ranges held fewer entries than Harvest announced when the read began (an
    entry may have no date), the list is read again page by page.
    """

    def __init__(
        self, source: HarvestStream, runs: list[StreamRun], slots: RequestSlots, tracker: DeletionTracker | None = None
    ) -> None:
        self._source = source
        self._tolerance = max(source.overlap, CLOCK_TOLERANCE)
        self._runs = runs
        self._slots = slots
        self._tracker = tracker
        self._since: str | None = None
        self._in_doubt = Event()
        self._lock = Lock()
        self._claim = Lock()
        self._over = Event()
        self._error: Exception | None = None
        self._began: datetime | None = None
        self._slices = SliceQueue(slots.check)
        self._is_resumed = False
        self._catch_up_since: str | None = None  # `overlap` before the first attempt began
        self._is_cut = False  # into date ranges, which may have missed entries
        self._delivered = DeliveredRows(source.identity)
        self._announced: int | None = None  # entries in the list, by the first answer of the first attempt
        self._found = 0  # of these, how many all attempts read

    @property
    def is_whole(self) -> bool:
        """Whether all of the list is read, not only its changes."""
        return self._since is None

    def holds_all_of(self, run: StreamRun) -> bool:
        """Whether it is read in this sync alone, and with all rows that the run's stream holds."""
        held_from = run.progress.complete_from
        return not self._is_resumed and (self._since is None or (held_from is not None and self._since <= held_from))

    def claim(self) -> bool:
        """True for the first caller, who must read the list; the others wait."""
        return self._claim.acquire(blocking=False)

    def slices(self) -> Iterator[ListSlice]:
        """The slices to read, also those found while reading. The first comes at once."""
        self._since = self._needed()
        unfinished = [run for run in self._runs if run.stream.takes_at_once and run.progress.stream_state.finished_days]
        began = [run.progress.stream_state.began for run in unfinished if run.progress.stream_state.began]
        # Runs that need only changes get them from the last slice.
        others = [run.stream.list_since(run.progress) for run in self._runs if run not in unfinished]
        self._is_resumed = bool(began) and all(others)
        if self._is_resumed:
            self._began = min(began)
            self._catch_up_since = min([timestamp(self._began - self._source.overlap), *filter(None, others)])
            gaps = self._resume(unfinished, self._began)
            slices = [ListSlice(days) for days in gaps] or [ListSlice(changed_since=self._catch_up_since)]
        else:
            slices = [ListSlice()]
            for run in unfinished:  # all days are read again
                run.progress.set_finished_days(None, (), None, 0)
        self._slices.add(slices)
        yield from self._slices

    def _resume(self, runs: list[StreamRun], began: datetime) -> list[DateRange]:
        """The date ranges that some run still lacks.

        The entry counts are kept if a run's state is of that attempt and has exactly the other ranges.
        """
        gaps = merged(gap for run in runs for gap in missing(run.progress.stream_state.finished_days))
        done = missing(gaps)
        self._is_cut = True
        for state in (run.progress.stream_state for run in runs):
            if state.began == began and list(state.finished_days) == done:
                self._announced, self._found = state.entries, state.found
                break
        for run in runs:
            run.progress.set_finished_days(began, tuple(done), self._announced, self._found)
        return gaps

    def wait(self) -> datetime:
        """Waits until the list has been read; returns when the read began, by Harvest's clock.

        Raises the error of the read, or `SyncAbortedError`.
        """
        self._slots.wait(self._over)
        if self._began is None or self._error:
            raise self._error or SyncAbortedError
        return self._began

    def fail(self, error: Exception) -> None:
        """Ends the read unfinished: raises the error in every thread that waits for the list."""
        self._error = error
        self._over.set()

    def read(self, list_slice: ListSlice) -> Iterator[Record]:
        """The records of a slice, of all streams.

        Raises `HarvestError`, here and in every thread that waits for the list.
        """
        try:
            if self._error is None:
                with schema_errors(self._source.place):
                    yield from self._read(list_slice)
        except Exception as error:
            self._error = error
            raise
        finally:
            if self._slices.close(partial(self._slice_after, list_slice)):
                if self._tracker and not (self._error or self._in_doubt.is_set() or self._is_resumed):
                    self._tracker.read_whole(self._source.name, self._since)
                self._over.set()

    def _read(self, list_slice: ListSlice) -> Iterator[Record]:
        since = list_slice.changed_since or self._since
        filters = {"updated_since": since, **list_slice.date_range.params}
        found = 0
        for number, page in enumerate(self._source.list_reader.complete_pages(filters, self._in_doubt.set)):
            self._slots.check()
            if self._began is None:
                self._check_first_page(page)
                if self._since != since:
                    self._slices.add([list_slice])
                    return
            elif self._is_resumed and page.sent and page.sent + self._tolerance < self._began:
                raise config_error(
                    f"The state of {self._source.name} is from the future. Clear the stream's data to read it again."
                )
            if number == 0 and (parts := self._cut(list_slice, page))[1]:
                yield from self._read_newest(page, *parts)
                return
            found += self._count(page.rows)
            yield from self._records(page.rows)
        self._checkpoint(list_slice, found)

    def _read_newest(self, page: Page, done: DateRange | None, rest: list[DateRange]) -> Iterator[Record]:
        """The records of the days that the first page of a slice holds completely; the rest is put into new slices."""
        self._is_cut = True
        if done:
            column = self._source.business_date
            rows = [row for row in page.rows if (day_of(row, column) or date.min) >= (done.first or date.min)]
            found = self._count(rows)
            yield from self._records(rows)
            self._checkpoint(ListSlice(done), found)
        self._slices.add(map(ListSlice, rest))

    def _cut(self, list_slice: ListSlice, page: Page) -> tuple[DateRange | None, list[DateRange]]:
        """As `ListSlice.parts`. Cuts only a list that a run reads for the first time, or the tracker reads whole."""
        is_first_read = any(run.progress.is_first_read for run in self._runs)
        if is_first_read or (self._tracker and self._tracker.needs(self._source.name) != ""):
            return list_slice.parts(page, self._source.business_date, self._announced)
        return None, []

    def _count(self, rows: list[Row]) -> int:
        """How many rows are entries that existed when the read began and were not counted yet.

        A resumed read skips rows that changed since it began: an earlier attempt may have counted them on another day.
        """
        if not self._is_cut:
            return 0
        column = "updated_at" if self._is_resumed else "created_at"
        began = timestamp(self._began) if self._began else ""
        return self._delivered.count(row for row in rows if str(row.get(column) or "") < began)

    def _records(self, rows: list[Row]) -> Iterator[Record]:
        rows = self._delivered.new(rows)
        if self._tracker:
            self._tracker.delivered(self._source.name, rows)
        for run in self._runs:
            yield from self._records_of(run, rows)

    def _records_of(self, run: StreamRun, rows: list[Row]) -> Iterator[Record]:
        """The records of one run. A row that is not as documented fails this stream only."""
        try:
            with schema_errors(run.stream.place):
                records = run.stream.records_from(type(self._source), rows, run.progress)
                yield from filter(None, map(run.cdk_record, records))
        except HarvestError as error:
            run.stream.odd_rows.fail(error)

    def _needed(self) -> str | None:
        """The earliest `updated_since` that a run or the tracker needs; None for the whole list."""
        if self._source.list_key is None:
            return None
        needed = [run.stream.list_since(run.progress) for run in self._runs]
        if self._tracker:
            needed.append(self._tracker.needs(self._source.name))
        return None if None in needed else min(filter(None, needed))

    def _check_first_page(self, page: Page) -> None:
        """Notes the list's time and length from its first answer. Drops states from the future."""
        self._began, self._announced = page.moment, page.entries
        self._catch_up_since = timestamp(page.moment - self._source.overlap)
        for run in self._runs:
            if type(run.stream) is type(self._source) and page.entries:
                run.progress.expect(page.entries)
            if page.sent and run.progress.stream_state.latest > page.sent + self._tolerance:
                logger.warning(
                    "The state of %s is from the future (Harvest's clock says %s), so all of it is read again",
                    run.stream.name,
                    timestamp(page.sent),
                )
                run.progress.stream_state = StreamState()
        self._since = self._needed()

    def _checkpoint(self, list_slice: ListSlice, found: int) -> None:
        """Counts the entries of a finished slice. Its date range is a checkpoint of each first read."""
        with self._lock:
            self._found += found
        if list_slice.changed_since or list_slice.date_range == ALL_DAYS or self._began is None:
            return
        for run in self._runs:
            stream, progress = run.stream, run.progress
            if progress.is_first_read and stream.takes_at_once and not stream.odd_rows.has_failed:
                progress.add_finished_days(self._began, list_slice.date_range, self._announced, found)

    def _slice_after(self, last: ListSlice) -> ListSlice | None:
        """The slice to read after the date ranges: changes since the read began; then, if entries are missing, all."""
        if self._error or not self._is_cut:
            return None
        if not last.changed_since:  # an entry's date may have changed from a range not yet read to one already read
            return ListSlice(changed_since=self._catch_up_since)
        if self._announced is not None and self._found >= self._announced:
            return None
        self._is_cut = False
        announced = "an unknown number of" if self._announced is None else self._announced
        logger.info(
            "%s: the date ranges held %d of %s entries, so the list is read again page by page",
            *(self._source.name, self._found, announced),
        )
        self._in_doubt.clear()
        return ListSlice(as_one=True)


class WholeList(SharedList):
    """The read of a whole list, for streams that need it now that they have its changes."""

    @override
    def _needed(self) -> str | None:
        return None

    @override
    def _records_of(self, run: StreamRun, rows: list[Row]) -> Iterator[Record]:
        run.stream.add_whole_list(type(self._source), rows)
        return iter(())
