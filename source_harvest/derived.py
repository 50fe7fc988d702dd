"""Streams that are made of other streams' lists: embedded in their rows, below each of them, or joined."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from typing_extensions import override

from source_harvest.answer import Row
from source_harvest.errors import Place
from source_harvest.records import changed_since
from source_harvest.stream import HarvestStream, Slice
from source_harvest.transport import Transport

Lists = Mapping[type[HarvestStream], list[Row]]
"""Whole lists, each under the stream that it is."""


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
    def take(self, source: type[HarvestStream], rows: list[Row], since: str | None) -> Iterator[Row]:
        for row in changed_since(rows, since):
            yield from map(self._shape.record, self._inside(row))

    def _inside(self, row: Row) -> Iterator[Row]:
        embedded = row[self.embedded_in]
        items = embedded if isinstance(embedded, list) else [] if embedded is None else [embedded]
        for position, item in enumerate(items):
            record = {**item} if isinstance(item, dict) else {"id": item}
            record[self.id_column] = record.pop("id")
            record[self.parent_key] = row["id"]
            if isinstance(self.cursor_field, str):
                record[self.cursor_field] = row["updated_at"]
            if self.is_ordered:
                record["position"] = position
            yield record


class ChildStream(HarvestStream):
    """A list below each record of a parent's list, at the cost of one request per parent."""

    limited_by_start_date = True
    parent: ClassVar[type[HarvestStream]]
    parent_key: ClassVar[str]
    """The column that holds the parent's id; Harvest does not send it."""
    below_parent: ClassVar[str]
    """The end of its path, below the parent's."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._parent_path = self.sibling(self.parent).list_key
        self._parent_ids: set[int] = set()

    @property
    @override
    def place(self) -> Place:
        return Place(self.name, self.parent.readable_by, belongs_to_parent=True)

    @classmethod
    @override
    def lists(cls) -> tuple[type[HarvestStream], ...]:
        return (cls.parent,)

    @override
    def list_since(self, since: str | None) -> str | None:
        return None  # every parent: not every change of a child shows at its parent (B72 of docs/harvest-behaviour.md)

    @override
    def take(self, source: type[HarvestStream], rows: list[Row], since: str | None) -> Iterable[Row]:
        self._parent_ids.update(row["id"] for row in rows)
        return ()

    @override
    def slices(self, since: str | None) -> Iterator[Slice]:
        for parent_id in sorted(self._parent_ids):
            yield {self.parent_key: parent_id, "updated_since": since}

    @override
    def first_path(self, stream_slice: Slice) -> str:
        return f"{self._parent_path}/{stream_slice[self.parent_key]}/{self.below_parent}"

    @override
    def read_slice(self, stream_slice: Slice) -> Iterator[Row]:
        for page in self.pages(stream_slice):
            for row in changed_since(page.rows, stream_slice.get("updated_since")):
                row[self.parent_key] = stream_slice[self.parent_key]
                yield self._shape.record(row)


class JoinedStream(HarvestStream):
    """Rows that no list of Harvest's has, worked out from several whole lists."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._rows: Lists = {source: [] for source in self.lists()}

    @classmethod
    @abstractmethod
    @override
    def lists(cls) -> tuple[type[HarvestStream], ...]: ...

    @abstractmethod
    def join(self, lists: Lists) -> Iterator[tuple[Row, list[Row]]]:
        """Each record, and the rows that it was made of: it has changed when one of them has."""

    @override
    def list_since(self, since: str | None) -> str | None:
        return None  # a row that did not change takes part in a record that did

    @override
    def take(self, source: type[HarvestStream], rows: list[Row], since: str | None) -> Iterable[Row]:
        self._rows[source] += rows
        return ()

    @override
    def slices(self, since: str | None) -> Iterator[Slice]:
        yield {"updated_since": since}

    @override
    def read_slice(self, stream_slice: Slice) -> Iterator[Row]:
        for record, made_of in self.join(self._rows):
            if changed_since(made_of, stream_slice.get("updated_since")):
                yield self._shape.record(record)
