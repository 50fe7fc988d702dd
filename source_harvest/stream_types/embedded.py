"""Streams whose records are embedded in the rows of another stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from typing_extensions import override

from source_harvest.api.timestamps import Row, changed_since
from source_harvest.errors import not_as_documented
from source_harvest.state.deletion_tracker import TrackedStream
from source_harvest.state.known_ids import ChildIds
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.incremental import UpdatedSince
from source_harvest.stream_types.joined import id_of
from source_harvest.stream_types.odd_rows import is_in_no_row


class Inside(NamedTuple):
    """The records embedded in a row."""

    records: dict[Any, Row]
    """By id."""
    left_out: list[str]
    """Why each other item, or the whole field, gave no record; for the log."""


class EmbeddedStream(UpdatedSince):
    """Records embedded in a field of each parent row: a list of objects, a list of ids, or one object."""

    parent: ClassVar[type[HarvestStream]]
    parent_key: ClassVar[str]
    """The column that holds the parent's id."""
    embedded_in: ClassVar[str]
    """The parent's field that holds the records."""
    id_column: ClassVar[str] = "id"
    """The column that holds the id of the embedded object."""
    embeds_ids: ClassVar[bool] = False
    """Whether the field lists ids instead of objects."""
    from_parent: ClassVar[tuple[str, ...]] = ()
    """The parent's columns that its records repeat: fields, and ids of nested objects."""
    counted_by: ClassVar[str] = ""
    """The parent's field that says how many items are embedded, if there is one."""
    is_ordered: ClassVar[bool] = False
    """Whether the order matters; the index then becomes the column `position`, from 0."""

    @classmethod
    @override
    def source_lists(cls) -> tuple[type[HarvestStream], ...]:
        return (cls.parent,)

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterator[Row]:
        changed = changed_since(rows, progress.since)
        if changed and all(self._items(row) is None for row in rows):
            raise is_in_no_row(self.embedded_in, self.parent.list_name, self.name)
        for row in changed:
            inside = self._inside(row)
            for what in inside.left_out:
                self.odd_rows.leave_out(what, f"{self.parent.list_name} {row['id']}")
            yield from self._shape.records(inside.records.values())

    @override
    def ids_by_parent(self, rows: list[Row]) -> Iterable[ChildIds]:
        for row in rows:
            inside = self._inside(row)
            yield ChildIds(row["id"], set(inside.records), is_whole=not inside.left_out)

    @override
    def tracked(self, progress: StreamProgress) -> TrackedStream | None:
        tracked = super().tracked(progress)
        return tracked and replace(tracked, has_parents=True)

    def _items(self, row: Row) -> list[Any] | None:
        """The embedded items; None if they are unknown, because the field is absent or has a wrong type."""
        embedded = row.get(self.embedded_in, False)
        if embedded is None:
            return []
        items = [embedded] if isinstance(embedded, dict) else embedded
        return items if isinstance(items, list) else None

    def _inside(self, row: Row) -> Inside:
        items = self._items(row)
        if items is None:
            return Inside({}, [f"{self.parent.list_name} of which the {self.embedded_in} are not known"])
        inside, seen, parent = Inside({}, []), dict[Any, Any](), f"{self.parent.list_name} {row['id']}"
        count = row.get(self.counted_by)
        if isinstance(count, int) and len(items) < count:
            inside.left_out.append(f"{self.parent.list_name} that hold fewer {self.embedded_in} than they count")
            few = f"it has {count} {self.embedded_in} and holds only {len(items)}"
            self.odd_rows.fail(not_as_documented(parent, few))
        for position, item in enumerate(items):
            id_ = item if self.embeds_ids else item.get("id") if isinstance(item, dict) else None
            if not self._shape.can_be_key(self.id_column, id_):
                inside.left_out.append("rows without a key, which were left out")
            elif id_ not in inside.records:
                inside.records[id_] = self._record_of(item, id_, position, row)
                seen[id_] = item
            elif item != seen[id_]:
                inside.left_out.append("rows with the key of another, which were left out")
        return inside

    def _record_of(self, item: Any, id_: Any, position: int, row: Row) -> Row:
        record = {} if self.embeds_ids else {name: value for name, value in item.items() if name != "id"}
        record |= {self.id_column: id_, self.parent_key: row["id"]}
        for column in self.from_parent:
            record[column] = id_of(row, column.removesuffix("_id")) if column.endswith("_id") else row.get(column)
        if self.cursor_column:
            record[self.cursor_column] = row.get("updated_at")
        if self.is_ordered:
            record["position"] = position
        return record
