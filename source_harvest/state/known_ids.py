"""The ids of a stream's delivered records, and of those found to be deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from source_harvest.state.packing import packed, unpacked

IdsByParent = dict[int, set[int]]
"""Parent id -> ids of its records."""

NO_PARENT = 0
"""Group key for records without a parent."""


class ChildIds(NamedTuple):
    """Ids of records with the same parent."""

    group: int
    """The parent's id, or `NO_PARENT`."""
    ids: set[int]
    is_whole: bool
    """Whether these are certainly all records of the parent."""


class KnownIds:
    """The delivered and the deleted ids of one stream."""

    def __init__(self, ids: Iterable[Any] = (), gone: str | None = None) -> None:
        """Restores what `ids` and `gone` returned.

        Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError`.
        """
        self._known: IdsByParent = {}
        self._new: IdsByParent = {}
        self._packed = list(ids)
        self._gone = set(unpacked(gone)) if gone else set()
        self.current: IdsByParent = {}
        """The groups that this sync saw completely."""
        for part in self._packed:
            numbers = unpacked(part["ids"])
            parents = unpacked(part["parents"]) if "parents" in part else [NO_PARENT] * len(numbers)
            for parent, id_ in zip(parents, numbers, strict=True):
                self._known.setdefault(parent, set()).add(id_)

    @property
    def ids(self) -> list[Mapping[str, str]]:
        """The ids that were delivered and not found to be deleted since, as JSON.

        New ids become a new part: a long first read emits many states, and packs each id only once.
        """
        if self._new:
            self._packed.append(part_of(self._new))
            self._new = {}
        return list(self._packed)

    @property
    def gone(self) -> str | None:
        """The ids that were found to be deleted, packed; None if there are none."""
        return packed(sorted(self._gone)) if self._gone else None

    @property
    def groups(self) -> IdsByParent:
        """The delivered ids, by parent."""
        return self._known

    def unless_gone(self, ids: set[int]) -> set[int]:
        """The ids that were not found to be deleted."""
        return ids - self._gone

    def saw(self, group: int, ids: set[int]) -> set[int]:
        """Adds delivered ids of a group; returns the new ones."""
        known = self._known.setdefault(group, set())
        new = ids - known
        known |= new
        if new:
            self._new.setdefault(group, set()).update(new)
        return new

    def settle(self, parents: set[int] | None = None) -> tuple[set[int], set[int]]:
        """The ids that are newly deleted, and the deleted ones that are back.

        `parents` are all parents that still exist, if known.
        """
        left: IdsByParent = {} if parents is None else {group: set() for group in self._known.keys() - parents}
        left |= self.current
        gone = {id_ for group, ids in left.items() for id_ in self._known.get(group, set()) - ids}
        back = {id_ for ids in self._known.values() for id_ in ids & self._gone} - gone
        self._gone = (self._gone | gone) - back
        if gone or len(self._packed) > 1:
            self._known = {group: found for group, ids in self._known.items() if (found := ids & left.get(group, ids))}
            self._packed, self._new = [], self._known
        return gone, back


def part_of(groups: IdsByParent) -> Mapping[str, str]:
    """The ids as JSON: packed `ids`, and packed `parents` in the same order, unless they have none."""
    in_order = [(parent, sorted(ids)) for parent, ids in sorted(groups.items())]
    ids = packed(chain.from_iterable(ids for _, ids in in_order))
    if groups.keys() <= {NO_PARENT}:
        return {"ids": ids}
    return {"ids": ids, "parents": packed(chain.from_iterable([parent] * len(ids) for parent, ids in in_order))}
