"""Lists with rows that go on changing while `updated_at` stays the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from source_harvest.api.list_reader import Slice
from source_harvest.api.timestamps import Row, changed_since, is_changed_since
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.incremental import UpdatedSince


class RunningRows(UpdatedSince):
    """A list whose running rows, such as timers, are read in each sync: last of all, and in one request.

    Where the whole list is read anyway, they are in it (B83 of docs/harvest-behaviour.md).
    """

    running: ClassVar[str]
    """The boolean column that says that a row is running; Harvest filters by it."""

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        since = progress.since
        delivered = changed_since(rows, progress.complete_from) if since else rows
        due = [row for row in delivered if not since or row.get(self.running) is True or is_changed_since(row, since)]
        return self._shape.records(due)

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        if not progress.has_all_rows:
            yield {self.running: "true", "since": progress.complete_from}

    @override
    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterator[Row]:
        for page in self.list_reader.new_pages(stream_slice):
            rows = changed_since(page.rows, stream_slice["since"])
            if progress.tracker:
                progress.tracker.delivered(self.name, rows)
            yield from self._shape.records(rows)
