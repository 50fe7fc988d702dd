"""Streams joined from several of Harvest's lists."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import Slice
from source_harvest.api.timestamps import Row, changed_since, timestamp
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.incremental import UpdatedSince
from source_harvest.stream_types.odd_rows import is_in_no_row


def id_of(row: Row, reference: str) -> int | None:
    """The id of the nested object `reference`, or else of the flat `reference_id`; None if there is none."""
    found = row.get(reference)
    id_ = found.get("id") if isinstance(found, dict) else row.get(f"{reference}_id")
    return id_ if type(id_) is int else None


class JoinedStream(UpdatedSince):
    """Records joined from the rows of several lists.

    A changed record may be made of rows that did not change. So if any row changed, the lists are read whole.
    """

    takes_at_once = False
    joined_by: ClassVar[Mapping[type[HarvestStream], tuple[str, ...]]]
    """List -> the nested objects of its rows by which they are joined; none if the others refer to it."""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._lists: dict[type[HarvestStream], dict[int | None, Row]] = {source: {} for source in self.joined_by}
        """Stream -> id -> row, of whole lists."""

    @classmethod
    @override
    def source_lists(cls) -> tuple[type[HarvestStream], ...]:
        return tuple(cls.joined_by)

    @abstractmethod
    def join(self, began: str) -> Iterator[tuple[Row, list[Row]]]:
        """Each record with the rows that it is made of: it has changed if one of them has.

        A row that was added after `began`, when reading the lists began, may be missing in one of them. The next sync
        reads it again.
        """

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        self.add_whole_list(source, rows)
        if progress.since and changed_since(rows, progress.since):
            self.needs_whole_lists = True
        return ()

    @override
    def add_whole_list(self, source: type[HarvestStream], rows: list[Row]) -> None:
        for field in self.joined_by[source]:
            if rows and not any(field in row for row in rows):
                self.odd_rows.fail(is_in_no_row(field, source.list_name, self.name))
        self._lists[source].update((row["id"], row) for row in rows)

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        if self.needs_whole_lists or progress.since is None:
            yield {"updated_since": progress.since, "began": timestamp(began)}

    @override
    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterator[Row]:
        for record, made_of in self.join(stream_slice["began"]):
            if changed_since(made_of, stream_slice["updated_since"]):
                yield from self._shape.records([record])
