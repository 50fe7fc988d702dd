"""Harvest's reports as facts: one row per subject, currency and calendar period."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from itertools import count
from threading import Event
from typing import Any, ClassVar
from urllib.parse import urlencode

from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import Slice
from source_harvest.api.timestamps import Row
from source_harvest.errors import HarvestError, config_error
from source_harvest.state.date_range import ALL_DAYS, DAY, DateRange, common, missing
from source_harvest.state.packing import packed, unpacked
from source_harvest.state.progress import StreamProgress
from source_harvest.state.stream_state import StreamState
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.per_user import DayStream
from source_harvest.stream_types.report_gaps import gaps, is_long
from source_harvest.stream_types.report_periods import WEEK_DAYS, Calendar, Period

logger = logging.getLogger("airbyte")

# A subject and a period in one number: the subject's id times this, plus the ordinal of the period's first day.
DAYS = 10_000_000

NOT_SHOWN = (
    "Reports no longer show this user some rows of earlier syncs. These rows keep their last numbers and do not become "
    "zeros, because they may still exist: only an Administrator sees all rows."
)


class ReportStream(DayStream):
    """A report by period. Periods never overlap, so that rows can be summed.

    Past numbers change when somebody edits old entries. So each sync reads a period again, until it was read
    `report_lookback_days` after its end. If a subject has nothing left in a period, its row becomes zeros, because the
    destination would otherwise keep the old row; but not if the user may not see everything.
    """

    cursor_field = "period_end"
    text_keys = ("currency", "period_start")
    limited_by_start_date = True
    minds_start_date = True
    earlier_state_key = "to"
    extra_state_keys = ("read_by", "period", "from", "first", "gaps", "include_fixed_fee", "subjects")
    subject: ClassVar[str]
    """The column with the id of what a row is about, such as `client_id`: the first of its foreign keys."""
    counts: ClassVar[tuple[type[HarvestStream], ...]] = ()
    """The streams whose rows it sums, by their business date. Empty: only the stream that it is `open_like`."""
    knows_fixed_fees: ClassVar[bool] = True
    """Whether the report takes the parameter `include_fixed_fee`."""
    lists_idle_subjects: ClassVar[bool] = False
    """Whether subjects have rows in periods without entries."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.foreign_keys:
            cls.subject = next(iter(cls.foreign_keys))
            cls.primary_key = [cls.subject, "currency", "period_start"]
            cls.identified_by = (cls.subject,)

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        settings = account.client.settings
        self._lookback = timedelta(days=settings.report_lookback_days)
        self._include_fixed_fee = settings.include_fixed_fee if self.knows_fixed_fees else None
        self._kept: Mapping[str, Any] = {}
        self._from: date | None = None
        self._first: date | None = None
        self._gaps: list[DateRange] = []
        self._start: date | None = None
        self._first_now: date | None = None
        self._gaps_now: list[DateRange] = []
        self._subjects: dict[date, set[tuple[int, str]]] = {}
        unnamed = count()
        # If the user may not see currencies, some rows have the same key, so each gets an identity of its own.
        self.identity = lambda row: (row[self.subject], row["currency"]) if row.get("currency") else next(unnamed)

    # The extra keys of its state.

    @override
    def load_extra_state(self, kept: Mapping[str, Any]) -> None:
        self._kept = kept
        self._from, self._first = (
            date.fromisoformat(kept[name]) if name in kept else None for name in ("from", "first")
        )
        self._gaps = [DateRange.of(ends) for ends in kept.get("gaps", ())]
        for currency, text in kept.get("subjects", {}).items():
            for number in unpacked(text):
                id_, day = divmod(number, DAYS)
                self._subjects.setdefault(date.fromordinal(day), set()).add((id_, currency))

    @override
    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]:
        numbers: dict[str, list[int]] = {}
        for day, subjects in list(self._subjects.items()):  # other threads may add to it
            for id_, currency in subjects:
                numbers.setdefault(currency, []).append(id_ * DAYS + day.toordinal())
        kept = {
            "period": str(self._calendar),
            "from": self._from.isoformat() if self._from else None,
            "first": self._first.isoformat() if self._first else None,
            "gaps": [gap.ends for gap in self._gaps] or None,
            "include_fixed_fee": self._include_fixed_fee,
            "subjects": {currency: packed(sorted(found)) for currency, found in sorted(numbers.items())},
        }
        return {name: value for name, value in kept.items() if value is not None}

    @cached_property
    def _calendar(self) -> Calendar:
        kind, before = self._client.settings.report_period, str(self._kept.get("period"))
        if kind != "week":
            return Calendar(kind)
        with self._client.slots.slot():
            day = self._account.company().get("week_start_day") or before.removeprefix("week from ")
        return Calendar(kind, day if day in WEEK_DAYS else WEEK_DAYS[0])

    # Which periods are read.

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        periods: list[Period] = []
        try:
            self._check_settings()
            periods = list(self._to_read(progress, began))
        finally:
            self._client.report_plan.add(self.name, len(periods))
        fee = {} if self._include_fixed_fee is None else {"include_fixed_fee": str(self._include_fixed_fee).lower()}
        for period in periods:
            days = {name: end.replace("-", "") for name, end in DateRange(*period).params.items()}
            yield {**days, **fee, "period": period}

    def _check_settings(self) -> None:
        """Raises a config `HarvestError` if a setting changed so that old and new rows cannot share a table."""
        if (before := self._kept.get("period", str(self._calendar))) != str(self._calendar):
            raise config_error(
                f"The report period of {self.name} changed from {before} to {self._calendar}. Old and new rows "
                "together would count days twice. Clear the stream's data, or set the report period back."
            )
        if self._kept and (before := self._kept.get("include_fixed_fee")) != self._include_fixed_fee:
            before, now = ("unset" if it is None else str(it).lower() for it in (before, self._include_fixed_fee))
            raise config_error(
                f"include_fixed_fee changed from {before} to {now}. Rows of {self.name} that are loaded were read with "
                f"{before}. Clear the stream's data, or set include_fixed_fee back."
            )

    def _to_read(self, progress: StreamProgress, began: datetime) -> Iterator[Period]:
        """The periods to read in this sync, oldest first.

        A period is read if it was never read, or if its last read was less than `report_lookback_days` after its end,
        as its numbers may still change. Periods without any entries are skipped.
        """
        today, last = self.today(began), progress.stream_state
        self._start = self._calendar.period_of(date.fromisoformat(self.start[:10])).first if self.start else None
        unread = self._unread(began, was_read=last.cursor is not None)
        self._gaps_now = self._left_out(unread, began, is_likely=last.cursor is not None)
        read = common([self._settled(last.cursor)], missing(unread)) if last.cursor else []
        read += common([self._settled(last.began or began)], last.finished_days)
        for days in common([DateRange(self._start or self._first_now, today)], missing([*self._gaps_now, *read])):
            yield from self._calendar.periods(days.first or date.min, days.last or today)

    def _settled(self, moment: datetime) -> DateRange:
        """The days whose numbers were final at a moment."""
        return ALL_DAYS.before(self._calendar.period_of(self.today(moment) - self._lookback).first)

    def _unread(self, began: datetime, *, was_read: bool) -> list[DateRange]:
        """The days since the start date for which no report was ever read; without days that each sync reads anyway."""
        read_from = self._from or self._first
        if not was_read:
            past = ALL_DAYS.before(self._calendar.period_of(self.today(began)).first)
            return common([DateRange(self._start)], [self._settled(began) if self._start else past])
        if read_from is None:  # another connector read it, and does not say since when
            return []
        before = [ALL_DAYS.before(read_from)] if read_from > date.min else []
        return common([DateRange(self._start)], [*before, *self._gaps])

    def _left_out(self, unread: list[DateRange], began: datetime, *, is_likely: bool) -> list[DateRange]:
        """The unread days since the first entry that have nothing to report."""
        delivered = [DateRange(*self._calendar.period_of(day)) for day in self._subjects]
        found = common(self._without_entries(unread, is_likely=is_likely), missing(delivered))
        before = [gap for gap in found if gap.first is None]
        if self._start is None and (unread or self._first):
            self._first_now = before[0].last + DAY if before and before[0].last else date.min
        found = common(found, missing(before), [self._settled(began)])
        return [gap for gap in found if is_long(gap, self._calendar) or not self.lists_idle_subjects]

    def _without_entries(self, days: list[DateRange], *, is_likely: bool) -> list[DateRange]:
        found, refusals = [], []
        for kind in (self.counts or (self.open_like,)) if days else ():
            find = partial(self._gaps_of, kind, days, is_likely=is_likely)
            try:
                found.append(self._client.once((kind, *days), find))
            except HarvestError as error:
                if error.status not in {403, 404}:
                    raise
                refusals.append(error)
        if refusals and not found and self._start is None:
            raise refusals[0]
        return common(*found) if found else []

    def _gaps_of(self, counted: type[HarvestStream], days: list[DateRange], *, is_likely: bool) -> list[DateRange]:
        count = partial(self._count, self.sibling(counted))
        return [gap for part in days for gap in gaps(part, self._calendar, count, is_likely=is_likely)]

    def _count(self, source: HarvestStream, days: DateRange) -> int:
        """How many entries a list has on those days; 0 only if that is certain."""
        url = f"{self.url_base}{source.list_key}?{urlencode({**days.params, 'per_page': 1})}"
        with self._client.slots.slot(), self._account.explained(self.place):
            page = self._client.get(url, self.place, read=source.list_reader.read_page)
        return max(len(page.rows), page.entries or 0)

    @override
    def partition_done(self, stream_slice: Slice, progress: StreamProgress, began: datetime) -> None:
        progress.add_finished_days(progress.stream_state.began or began, DateRange(*stream_slice["period"]))

    @override
    def final_state(self, progress: StreamProgress, began: datetime) -> StreamState:
        self._from, self._first, self._gaps = self._start, self._first_now, self._gaps_now
        began = progress.stream_state.began or began
        settled = self._settled(began)
        self._subjects = {day: found for day, found in self._subjects.items() if not settled.covers(day, day)}
        return StreamState(cursor=began)

    # Its rows.

    @override
    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterator[Row]:
        period: Period = stream_slice["period"]
        days = {"period_start": period.first.isoformat(), "period_end": period.last.isoformat()}
        doubts = Event()
        rows = self._rows(stream_slice, days, doubts)
        before = self._subjects.get(period.first, set())
        if not before.issuperset(rows):
            self._subjects[period.first] = before.union(rows)
            progress.checkpoint()  # else a killed sync would forget what it delivered
        yield from map(self._shape.record, rows.values())
        gone = before - rows.keys()
        if gone and not self.sees_everything:
            self._client.once(NOT_SHOWN, partial(logger.warning, NOT_SHOWN))
        elif not doubts.is_set():
            for id_, currency in gone:
                zeros = {**dict.fromkeys(self._numbers, 0), self.subject: id_, "currency": currency, **days}
                yield self._shape.record({**dict.fromkeys(self.get_json_schema()["properties"]), **zeros})
            self._subjects[period.first] = set(rows)

    def _rows(self, stream_slice: Slice, days: Mapping[str, str], doubts: Event) -> dict[tuple[int, str], Row]:
        """The rows of a period, by subject and currency. Sets `doubts` if some may be missing."""
        rows: dict[tuple[int, str], Row] = {}
        for page in self.list_reader.complete_pages(stream_slice, doubts.set, again=rows.clear):
            for row in page.rows:
                row |= {"currency": row.get("currency") or "", **days}
                key = row[self.subject], row["currency"]
                if key in rows and not row["currency"]:  # rows of two currencies that the user may not see
                    row |= {n: round((rows[key].get(n) or 0) + (row[n] or 0), 2) for n in self._numbers if n in row}
                rows[key] = row
        return rows

    @cached_property
    def _numbers(self) -> list[str]:
        """The columns that can be summed."""
        return [name for name, column in self.get_json_schema()["properties"].items() if "number" in column["type"]]
