"""Lists that Harvest gives for one year at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from threading import Event
from typing import ClassVar

from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.delivered_rows import DeliveredRows
from source_harvest.api.list_reader import Slice
from source_harvest.api.timestamps import Row, timestamp
from source_harvest.state.deletion_tracker import TrackedStream
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream

MOST_YEARS_BACK = 10


class YearlyStream(HarvestStream):
    """A list that is read for each year, from the start date's to the next one.

    Without a start date it begins with the year of the first row of another list, at most `MOST_YEARS_BACK` ago.
    """

    takes_at_once = False
    begins_with: ClassVar[type[HarvestStream]]
    """The other list."""
    dated_by: ClassVar[str]
    """The date column of its rows."""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._start = self._client.settings.start
        self._first_year: int | None = self._start.year if self._start else None
        # With a start date no row of the other list matters, so only the newest are requested.
        self._list_since = timestamp(datetime.now(timezone.utc)) if self._start else None
        self._delivered = DeliveredRows(self.identity)

    @classmethod
    @override
    def source_lists(cls) -> tuple[type[HarvestStream], ...]:
        return (cls.begins_with,)

    @classmethod
    @override
    def asks_for(cls) -> tuple[type[HarvestStream], ...]:
        return (*cls.source_lists(), cls)

    @override
    def list_since(self, progress: StreamProgress) -> str | None:
        return self._list_since

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        days = (str(row.get(self.dated_by)) for row in rows if not self._start)
        years = [int(day[:4]) for day in days if day[:4].isdecimal()]
        self._first_year = min([*years, *filter(None, [self._first_year])], default=None)
        return ()

    @override
    def tracked(self, progress: StreamProgress) -> TrackedStream | None:
        tracked = super().tracked(progress)  # its groups are years, as those of a child list are parents
        return tracked and replace(tracked, source=self.name, has_parents=True, is_visited=True)

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        this_year = began.year
        first = self._first_year or this_year
        if not self._start:
            first = max(first, this_year - MOST_YEARS_BACK)
        for year in range(min(first, this_year), this_year + 2):
            yield {"year": year}

    @override
    def probe(self) -> None:
        self.list_reader.probe(self.place, {"year": datetime.now(timezone.utc).year})

    @override
    def first_path(self, stream_slice: Slice) -> str:
        return f"{super().first_path(stream_slice)}?year={stream_slice['year']}"

    @override
    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterator[Row]:
        year, doubts = stream_slice["year"], Event()
        # Another year's rows come again with it, should Harvest not filter by year.
        pages = (
            [row for row in page.rows if type(row.get("year")) is not int or row["year"] == year]
            for page in self.list_reader.new_pages(stream_slice, doubts.set)
        )
        for rows in progress.children(year, pages, doubts):
            yield from self._shape.records(self._delivered.new(rows))
