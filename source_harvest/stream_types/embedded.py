"""Streams that are made of other streams' rows: embedded in them, or joined from several lists."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from airbyte_cdk.models import FailureType
from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import Slice
from source_harvest.api.pages import Row
from source_harvest.errors import HarvestError
from source_harvest.state.deletion_tracker import TrackedStream
from source_harvest.state.known_ids import ChildIds
from source_harvest.state.progress import StreamProgress
from source_harvest.state.stream_state import timestamp
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.columns import changed_since

Lists = Mapping[type[HarvestStream], Mapping[int, Row]]
"""Whole lists, each under the stream that it is: their rows under their ids."""


def id_of(row: Row, reference: str) -> int | None:
    """The id of what a row refers to; None where it refers to nothing that has one."""
    found = row.get(reference)
    id_ = found.get("id") if isinstance(found, dict) else None
    return id_ if type(id_) is int else None


def _is_in_none(field: str, parents: str, name: str) -> HarvestError:
    return HarvestError(
        f"Harvest's answer for {parents} is not as documented: no row of a page has {field}, of which {name} is made. "
        "Please report this message.",
        FailureType.system_error,
    )


class Inside(NamedTuple):
    """What a row carries inside."""

    records: dict[Any, Row]
    """Under their ids."""
    left_out: list[str]
    """What is there and is no record, or cannot be known."""


class EmbeddedStream(HarvestStream):
    """What each row of a parent's list carries inside: a list of objects or of ids, or one object."""

    parent: ClassVar[type[HarvestStream]]
    parent_key: ClassVar[str]
    """The column that holds the parent's id."""
    embedded_in: ClassVar[str]
    """The parent's field."""
    id_column: ClassVar[str] = "id"
    """The column that holds the id of what is embedded."""
    embeds_ids: ClassVar[bool] = False
    """Whether the field lists ids, and not objects."""
    is_ordered: ClassVar[bool] = False
    """Whether the place among its siblings matters, and becomes the column `position`, from 0."""

    @classmethod
    @override
    def source_lists(cls) -> tuple[type[HarvestStream], ...]:
        return (cls.parent,)

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterator[Row]:
        changed = changed_since(rows, progress.since)
        if changed and all(self._items(row) is None for row in rows):
            raise _is_in_none(self.embedded_in, self._parents, self.name)
        for row in changed:
            inside = self._inside(row)
            for what in inside.left_out:
                self.odd_rows.leave_out(what, f"{self._parents} {row['id']}")
            yield from self.odd_rows.records(inside.records.values(), self._shape.record)

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
        """What is inside; None where it is absent or can be no such thing, so that it is not known."""
        embedded = row.get(self.embedded_in, False)
        if embedded is None:
            return []
        items = [embedded] if isinstance(embedded, dict) else embedded
        return items if isinstance(items, list) else None

    def _inside(self, row: Row) -> Inside:
        items = self._items(row)
        if items is None:
            return Inside({}, [f"{self._parents} of which the {self.embedded_in} are not known"])
        inside, seen = Inside({}, []), dict[Any, Any]()
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
        if isinstance(self.cursor_field, str):
            record[self.cursor_field] = row.get("updated_at")
        if self.is_ordered:
            record["position"] = position
        return record

    @cached_property
    def _parents(self) -> str:
        """Where its parents are read, as people call it."""
        return self.sibling(self.parent).place.name


class JoinedStream(HarvestStream):
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
                self.odd_rows.fail(_is_in_none(field, self.sibling(source).place.name, self.name))
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
