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
        """Restores what `ids` and `gone` returned. Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError`."""
        self.by_parent: IdsByParent = {}
        """The delivered ids that were not found to be deleted."""
        self.new: IdsByParent = {}
        """Those of them that no state has yet."""
        self._packed = list(ids)
        self._gone = set(unpacked(gone)) if gone else set()
        self.current: IdsByParent = {}
        """The groups that this sync saw completely."""
        for part in self._packed:
            numbers = unpacked(part["ids"])
            parents = unpacked(part["parents"]) if "parents" in part else [NO_PARENT] * len(numbers)
            for parent, id_ in zip(parents, numbers, strict=True):
                self.by_parent.setdefault(parent, set()).add(id_)

    @property
    def ids(self) -> list[Mapping[str, str]]:
        """`by_parent` as JSON.

        New ids become a new part: a long first read emits many states, and packs each id only once.
        """
        if self.new:
            self._packed.append(part_of(self.new))
            self.new = {}
        return list(self._packed)

    @property
    def gone(self) -> str | None:
        """The ids that were found to be deleted, packed; None if there are none."""
        return packed(sorted(self._gone)) if self._gone else None

    def add(self, group: int, ids: set[int]) -> bool:
        """Adds delivered ids of a group; returns whether some are new."""
        known = self.by_parent.setdefault(group, set())
        new = ids - known
        known |= new
        if new:
            self.new.setdefault(group, set()).update(new)
        return bool(new)

    def add_unless_gone(self, groups: IdsByParent) -> None:
        """Adds ids that were delivered before, without those found to be deleted since."""
        for group, ids in groups.items():
            self.add(group, ids - self._gone)

    def settle(self, parents: set[int] | None = None) -> tuple[set[int], set[int]]:
        """The ids that are newly deleted, and the deleted ones that are back.

        `parents` are all parents that still exist, if known.
        """
        left: IdsByParent = {} if parents is None else {group: set() for group in self.by_parent.keys() - parents}
        left |= self.current
        missing = {id_ for group, ids in left.items() for id_ in self.by_parent.get(group, set()) - ids}
        known = self.by_parent.items()
        moved = {id_ for group, ids in known for id_ in missing & ids & left.get(group, ids)}  # to another parent
        gone = missing - moved
        back = {id_ for ids in self.by_parent.values() for id_ in ids & self._gone} - gone
        self._gone = (self._gone | gone) - back
        if missing or len(self._packed) > 1:
            self.by_parent = {group: found for group, ids in known if (found := ids & left.get(group, ids))}
            self._packed, self.new = [], self.by_parent
        return gone, back


def part_of(groups: IdsByParent) -> Mapping[str, str]:
    """The ids as JSON: packed `ids`, and packed `parents` in the same order, unless they have none."""
    in_order = [(parent, sorted(ids)) for parent, ids in sorted(groups.items())]
    ids = packed(chain.from_iterable(ids for _, ids in in_order))
    if groups.keys() <= {NO_PARENT}:
        return {"ids": ids}
    return {"ids": ids, "parents": packed(chain.from_iterable([parent] * len(ids) for parent, ids in in_order))}
