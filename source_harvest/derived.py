"""Streams that are made of other streams' rows: embedded in them, or joined from several lists."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from source_harvest.answer import Row
from source_harvest.bookmark import timestamp
from source_harvest.records import changed_since
from source_harvest.resource import Slice
from source_harvest.stream import HarvestStream
from source_harvest.transport import Transport

if TYPE_CHECKING:
    from source_harvest.reader import Reader

Lists = Mapping[type[HarvestStream], Mapping[int, Row]]
"""Whole lists, each under the stream that it is: their rows under their ids."""


class EmbeddedStream(HarvestStream):
    """What each row of a parent's list carries inside: a list of objects or of ids, or one object."""

    parent: ClassVar[type[HarvestStream]]
    parent_key: ClassVar[str]
    """The column that holds the parent's id."""
    embedded_in: ClassVar[str]
    """The parent's field."""
    id_column: ClassVar[str] = "id"
    """The column that holds the id of what is embedded."""
    is_ordered: ClassVar[bool] = False
    """Whether the place among its siblings matters, and becomes the column `position`, from 0."""

    @classmethod
    @override
    def lists(cls) -> tuple[type[HarvestStream], ...]:
        return (cls.parent,)

    @override
    def take(self, source: type[HarvestStream], rows: list[Row], reader: Reader) -> Iterator[Row]:
        for row in changed_since(rows, reader.since):
            yield from map(self._shape.record, self._inside(row))

    @override
    def members(self, rows: list[Row]) -> Iterable[tuple[int, set[int]]]:
        return [(row["id"], {record[self.id_column] for record in self._inside(row)}) for row in rows]

    def _inside(self, row: Row) -> Iterator[Row]:
        embedded = row[self.embedded_in]
        items = [embedded] if isinstance(embedded, dict) else embedded
        for position, item in enumerate(() if items is None else items):
            record = {**item} if isinstance(item, dict) else {"id": item}
            record[self.id_column] = record.pop("id")
            record[self.parent_key] = row["id"]
            if isinstance(self.cursor_field, str):
                record[self.cursor_field] = row["updated_at"]
            if self.is_ordered:
                record["position"] = position
            yield record


class JoinedStream(HarvestStream):
    """Rows that no list of Harvest's has, worked out from several.

    A row that did not change takes part in a record that did. So where anything changed, whole lists are read.
    """

    takes_at_once = False

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._lists: dict[type[HarvestStream], dict[int, Row]] = {source: {} for source in self.lists()}
        self._has_changes = False

    @classmethod
    @abstractmethod
    @override
    def lists(cls) -> tuple[type[HarvestStream], ...]: ...

    @abstractmethod
    def join(self, lists: Lists, began: str) -> Iterator[tuple[Row, list[Row]]]:
        """Each record, and the rows that it was made of: it has changed when one of them has.

        What came after the lists `began` to be read may be in one and not in another; the next sync has all of it.
        """

    @override
    def take(self, source: type[HarvestStream], rows: list[Row], reader: Reader) -> Iterable[Row]:
        self.take_whole(source, rows)
        if reader.since and changed_since(rows, reader.since):
            self._has_changes = True
        return ()

    @override
    def take_whole(self, source: type[HarvestStream], rows: list[Row]) -> None:
        self._lists[source].update((row["id"], row) for row in rows)

    @override
    def needs_whole_lists(self) -> bool:
        return self._has_changes

    @override
    def slices(self, reader: Reader, began: datetime) -> Iterator[Slice]:
        if self._has_changes or reader.since is None:
            yield {"updated_since": reader.since, "began": timestamp(began)}

    @override
    def read_slice(self, stream_slice: Slice) -> Iterator[Row]:
        for record, made_of in self.join(self._lists, stream_slice["began"]):
            if changed_since(made_of, stream_slice["updated_since"]):
                yield self._shape.record(record)
