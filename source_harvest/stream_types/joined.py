"""Streams that no list of Harvest's has: joined from several."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import Slice
from source_harvest.api.pages import Row
from source_harvest.api.timestamps import changed_since, timestamp
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.incremental import UpdatedSince
from source_harvest.stream_types.odd_rows import is_in_no_row

Lists = Mapping[type[HarvestStream], Mapping[int, Row]]
"""Whole lists, each under the stream that it is: their rows under their ids."""


def id_of(row: Row, reference: str) -> int | None:
    """The id of what a row refers to; None where it refers to nothing that has one."""
    found = row.get(reference)
    id_ = found.get("id") if isinstance(found, dict) else None
    return id_ if type(id_) is int else None


class JoinedStream(UpdatedSince):
    """Rows that no list of Harvest's has, worked out from several.

    A row that did not change takes part in a record that did. So where anything changed, whole lists are read.
    """

    takes_at_once = False
    joined_by: ClassVar[Mapping[type[HarvestStream], tuple[str, ...]]] = {}
    """List -> the references of its rows by which they are joined."""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._lists: dict[type[HarvestStream], dict[int, Row]] = {source: {} for source in self.source_lists()}
        self._has_changes = False

    @classmethod
    @abstractmethod
    @override
    def source_lists(cls) -> tuple[type[HarvestStream], ...]: ...

    @abstractmethod
    def join(self, lists: Lists, began: str) -> Iterator[tuple[Row, list[Row]]]:
        """Each record, and the rows that it was made of: it has changed when one of them has.

        What came after the lists `began` to be read may be in one and not in another; the next sync has all of it.
        """

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        self.add_whole_list(source, rows)
        if progress.since and changed_since(rows, progress.since):
            self._has_changes = True
        return ()

    @override
    def add_whole_list(self, source: type[HarvestStream], rows: list[Row]) -> None:
        for field in self.joined_by.get(source, ()):
            if rows and not any(field in row for row in rows):
                self.odd_rows.fail(is_in_no_row(field, self.sibling(source).place.name, self.name))
        self._lists[source].update((row["id"], row) for row in rows)

    @override
    def needs_whole_lists(self) -> bool:
        return self._has_changes

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        if self._has_changes or progress.since is None:
            yield {"updated_since": progress.since, "began": timestamp(began)}

    @override
    def read_partition(self, stream_slice: Slice) -> Iterator[Row]:
        for record, made_of in self.join(self._lists, stream_slice["began"]):
            if changed_since(made_of, stream_slice["updated_since"]):
                yield from self.odd_rows.records([record], self._shape.record)
        self.odd_rows.check()
