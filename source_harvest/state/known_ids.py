"""Which records of a stream there are, as far as the connector knows, and which of them have gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from source_harvest.state.packing import packed, unpacked

IdsByParent = dict[int, set[int]]
"""Ids of records, under the id of the record that they belong to."""

NO_PARENT = 0
"""What records belong to that belong to none."""


class ChildIds(NamedTuple):
    """Records that belong to the same one."""

    group: int
    """The id of that one."""
    ids: set[int]
    is_whole: bool
    """Whether these are all, for certain."""


class KnownIds:
    """The records of one stream, by their ids."""

    def __init__(self, ids: Iterable[Any] = (), gone: str | None = None) -> None:
        """From the JSON of both.

        Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError`.
        """
        self._known: IdsByParent = {}
        self._new: IdsByParent = {}
        self._packed = list(ids)
        self._gone = set(unpacked(gone)) if gone else set()
        self.current: IdsByParent = {}
        """The groups of which this sync saw all that there is."""
        for part in self._packed:
            numbers = unpacked(part["ids"])
            parents = unpacked(part["parents"]) if "parents" in part else [NO_PARENT] * len(numbers)
            for parent, id_ in zip(parents, numbers, strict=True):
                self._known.setdefault(parent, set()).add(id_)

    @property
    def ids(self) -> list[Mapping[str, str]]:
        """Those that were delivered, and were not found to be gone since, as JSON.

        They are packed in parts, as they come: a long first read says many times what it knows.
        """
        if self._new:
            self._packed.append(part_of(self._new))
            self._new = {}
        return list(self._packed)

    @property
    def gone(self) -> str | None:
        """Those that were found to be gone, as JSON."""
        return packed(sorted(self._gone)) if self._gone else None

    @property
    def groups(self) -> IdsByParent:
        """Those that were delivered."""
        return self._known

    def unless_gone(self, ids: set[int]) -> set[int]:
        """Those of some ids that were not found to be gone."""
        return ids - self._gone

    def saw(self, group: int, ids: set[int]) -> set[int]:
        """These of a group are delivered; returns those of them that are new."""
        known = self._known.setdefault(group, set())
        new = ids - known
        known |= new
        if new:
            self._new.setdefault(group, set()).update(new)
        return new

    def settle(self, parents: set[int] | None = None) -> tuple[set[int], set[int]]:
        """Those that are gone now, and those that were gone and are back; `parents` are all that are left, if known."""
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
    """As JSON: the ids, packed, and if they belong to records these too."""
    in_order = [(parent, sorted(ids)) for parent, ids in sorted(groups.items())]
    ids = packed(chain.from_iterable(ids for _, ids in in_order))
    if groups.keys() <= {NO_PARENT}:
        return {"ids": ids}
    return {"ids": ids, "parents": packed(chain.from_iterable([parent] * len(ids) for parent, ids in in_order))}
