"""Harvest's reports as facts: one row for each subject, currency and calendar period."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from itertools import count
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from source_harvest.answer import Row
from source_harvest.bookmark import Bookmark
from source_harvest.errors import HarvestError, config_error
from source_harvest.packing import packed, unpacked
from source_harvest.periods import WEEK_DAYS, Calendar, Period
from source_harvest.resource import Slice
from source_harvest.signed_in import DayStream
from source_harvest.spans import DAY, Span
from source_harvest.stream import HarvestStream
from source_harvest.transport import Transport

if TYPE_CHECKING:
    from source_harvest.reader import Reader

logger = logging.getLogger("airbyte")

# Nothing was tracked before this day.
EARLIEST = date(1990, 1, 1)

# A subject and a period as one number: the subject's id times this, plus the ordinal of the period's first day.
DAYS = 10_000_000


class ReportStream(DayStream):
    """A report on periods that never overlap, so that its rows can be summed.

    Harvest restates the past when somebody edits it. So a period is read in each sync until it was read
    `report_lookback_days` after its end. Where a subject has nothing left in a period, its row becomes zeros: if there
    were no row, the one from before would stand.
    """

    cursor_field = "period_end"
    text_keys = ("currency", "period_start")
    limited_by_start_date = True
    minds_start_date = True
    earlier_state_key = "to"
    kept_in_state = ("read_by", "period", "from", "first", "include_fixed_fee", "subjects")
    subject: ClassVar[str]
    """The column with the id of whom or what a row is about."""
    counts: ClassVar[tuple[type[HarvestStream], ...]]
    """The streams whose rows it counts, by their business date."""
    knows_fixed_fees: ClassVar[bool] = True
    """Whether Harvest can be told to count projects with a fixed fee, or not to."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "subject"):
            cls.primary_key = [cls.subject, "currency", "period_start"]
            cls.identified_by = (cls.subject,)

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        settings = transport.settings
        self._lookback = timedelta(days=settings.report_lookback_days)
        self._include_fixed_fee = settings.include_fixed_fee if self.knows_fixed_fees else None
        self._kept: Mapping[str, Any] = {}
        self._from: date | None = None
        self._first: date | None = None
        self._first_now: date | None = None
        self._subjects: dict[date, set[tuple[int, str]]] = {}
        unnamed = count()
        # Where a user may not see currencies, nothing tells some rows apart, so each counts as one of its own.
        self._identity = lambda row: (row[self.subject], row["currency"]) if row.get("currency") else next(unnamed)

    # What its state says besides when it was read.

    @override
    def recall(self, kept: Mapping[str, Any]) -> None:
        self._kept = kept
        self._from, self._first = (
            date.fromisoformat(kept[name]) if name in kept else None for name in ("from", "first")
        )
        for currency, text in kept.get("subjects", {}).items():
            for number in unpacked(text):
                id_, day = divmod(number, DAYS)
                self._subjects.setdefault(date.fromordinal(day), set()).add((id_, currency))

    @override
    def keep(self) -> Mapping[str, Any]:
        numbers: dict[str, list[int]] = {}
        for day, subjects in list(self._subjects.items()):  # slices that end meanwhile add to it
            for id_, currency in subjects:
                numbers.setdefault(currency, []).append(id_ * DAYS + day.toordinal())
        kept = {
            "read_by": self.read_by,
            "period": str(self._calendar),
            "from": self._from.isoformat() if self._from else None,
            "first": self._first.isoformat() if self._first else None,
            "include_fixed_fee": self._include_fixed_fee,
            "subjects": {currency: packed(sorted(found)) for currency, found in sorted(numbers.items())},
        }
        return {name: value for name, value in kept.items() if value is not None}

    @cached_property
    def _calendar(self) -> Calendar:
        kind, before = self._transport.settings.report_period, str(self._kept.get("period"))
        if kind != "week":
            return Calendar(kind)
        with self._transport.gate.entered():
            day = self._transport.company().get("week_start_day") or before.removeprefix("week from ")
        return Calendar(kind, day if day in WEEK_DAYS else WEEK_DAYS[0])

    # Which periods are read.

    @override
    def slices(self, reader: Reader, began: datetime) -> Iterator[Slice]:
        self._check_settings()
        if self._subjects and self._kept.get("read_by") != self.read_by:
            logger.warning(
                "%s: read by another user than before, or with other permissions, who may see less", self.name
            )
            self._subjects.clear()  # what this user does not see need not be gone
        self._checkpoint = reader.checkpoint
        periods = list(self._to_read(reader, began))
        planned, minutes = self._transport.plan_reports(len(periods))
        logger.info(
            "%s: %d requests planned, one for each %s; %d with the reports before it, about %d minutes at 100 in 15",
            *(self.name, len(periods), self._calendar.kind, planned, minutes),
        )
        for period in periods:
            yield {"from": f"{period.first:%Y%m%d}", "to": f"{period.last:%Y%m%d}", "period": period}

    def _check_settings(self) -> None:
        """Raises a config `HarvestError` where rows of before and rows to come cannot stand in one table."""
        if (before := self._kept.get("period", str(self._calendar))) != str(self._calendar):
            raise config_error(
                f"Until now {self.name} was read by {before}, and is now to be read by {self._calendar}. Clear the "
                "stream's data, so that no day counts twice, or set the report period back."
            )
        if self._kept and (before := self._kept.get("include_fixed_fee")) != self._include_fixed_fee:
            before, now = ("unset" if it is None else str(it).lower() for it in (before, self._include_fixed_fee))
            raise config_error(
                f"Until now {self.name} was read with include_fixed_fee {before}, and is now to be read with it {now}. "
                "Clear the stream's data, so that no row counts as it did, or set it back."
            )

    def _to_read(self, reader: Reader, began: datetime) -> Iterator[Period]:
        """The periods that were not read yet, or not yet late enough, in their order."""
        today = self.today(began)
        read_on = self.today(reader.bookmark.cursor) if reader.bookmark.cursor else None
        start = date.fromisoformat(reader.start[:10]) if reader.start else None
        # Nothing changes any more in a period that was read after these days, by a whole read or by an unfinished one.
        settled = read_on - self._lookback if read_on else EARLIEST
        done_before = self.today(reader.bookmark.began or began) - self._lookback
        read_from = self._from or self._first
        if start:
            first = start
        elif read_on and not read_from:  # by another connector, which does not say
            first = settled
        else:
            first = self._first_day(today)
        for period in self._calendar.periods(max(first, EARLIEST), today):
            is_settled = period.last < settled and period.first >= (read_from or EARLIEST)
            is_done = period.last < done_before and any(span.covers(*period) for span in reader.bookmark.spans)
            if not (is_settled or is_done):
                yield period

    def _first_day(self, today: date) -> date:
        """The first day that may have something to report, as far as the user may see it."""
        found, refusals = [], []
        for kind in self.counts:
            try:
                day_of = partial(self._first_day_of, kind, self._first, today)
                found.append(self._transport.once((kind, self._first), day_of))
            except HarvestError as error:
                if error.status not in {403, 404}:
                    raise
                refusals.append(error)
        if not found:
            raise refusals[0]
        self._first_now = min(found)
        # An earlier one counts once the periods from there on have been read.
        self._first = self._first or self._first_now
        return self._first_now

    def _first_day_of(self, counted: type[HarvestStream], before: date | None, today: date) -> date:
        """The first day of the first period in which something was counted, found by halving all time.

        Where one was found in an earlier sync, what is still true of it is one question.
        """
        source, periods = self.sibling(counted), list(self._calendar.periods(EARLIEST, today))

        def is_begun(period: Period) -> bool:
            with self._transport.gate.entered(), self._transport.explained(self.place):
                url = f"{self.url_base}{source.list_key}?to={period.last.isoformat()}&per_page=1"
                return bool(self._transport.get(url, self.place, read=source.read_page).rows)

        if before and not is_begun(self._calendar.period_of(before - DAY)):
            return before
        index = bisect_left(periods, True, key=is_begun)
        return periods[min(index, len(periods) - 1)].first

    @override
    def finished_slice(self, stream_slice: Slice, reader: Reader, began: datetime) -> None:
        reader.finished_span(reader.bookmark.began or began, Span(*stream_slice["period"]))

    @override
    def reached(self, reader: Reader, began: datetime) -> Bookmark:
        self._from = self._calendar.period_of(date.fromisoformat(reader.start[:10])).first if reader.start else None
        self._first = self._first_now or self._first
        began = reader.bookmark.began or began
        changeable = self.today(began) - self._lookback
        self._subjects = {
            day: of for day, of in self._subjects.items() if self._calendar.period_of(day).last >= changeable
        }
        return Bookmark(cursor=began)

    # How a report is asked for, and what its rows become.

    @override
    def request_params(
        self,
        stream_state: Mapping[str, Any] | None,
        stream_slice: Slice | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> MutableMapping[str, Any]:
        params = super().request_params(stream_state, stream_slice, next_page_token)
        if params and self._include_fixed_fee is not None:
            params["include_fixed_fee"] = str(self._include_fixed_fee).lower()
        return params

    @override
    def read_slice(self, stream_slice: Slice) -> Iterator[Row]:
        period: Period = stream_slice["period"]
        days = {"period_start": period.first.isoformat(), "period_end": period.last.isoformat()}
        rows: dict[tuple[int, str], Row] = {}
        doubts = Event()
        for page in self.complete_pages(stream_slice, doubts.set, again=rows.clear):
            for row in page.rows:
                row |= {"currency": row.get("currency") or "", **days}
                key = row[self.subject], row["currency"]
                if key in rows and not row["currency"]:  # of two currencies that the user may not see
                    row |= {n: round((rows[key].get(n) or 0) + (row[n] or 0), 2) for n in self._numbers if n in row}
                rows[key] = row
        before = self._subjects.get(period.first, set())
        if not before.issuperset(rows):
            self._subjects[period.first] = before.union(rows)
            self._checkpoint()  # or a sync that is killed would not know what it delivered
        yield from map(self._shape.record, rows.values())
        if doubts.is_set():
            return
        for id_, currency in before - rows.keys():
            zeros = {**dict.fromkeys(self._numbers, 0), self.subject: id_, "currency": currency, **days}
            yield self._shape.record({**dict.fromkeys(self.get_json_schema()["properties"]), **zeros})
        self._subjects[period.first] = set(rows)

    @cached_property
    def _numbers(self) -> list[str]:
        """The columns that can be summed."""
        return [name for name, column in self.get_json_schema()["properties"].items() if "number" in column["type"]]
