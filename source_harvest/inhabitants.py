"""Which records of a stream there are, as far as the connector knows, and which of them have gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from source_harvest.packing import packed, unpacked

Groups = dict[int, set[int]]
"""Ids of records, under the id of the record that they belong to."""

NO_GROUP = 0
"""What records belong to that belong to none."""


@dataclass
class Inhabitants:
    """The records of one stream, by their ids."""

    known: Groups = field(default_factory=dict)
    """Those that were delivered, and were not found to be gone since."""
    current: Groups = field(default_factory=dict)
    """The groups of which this sync saw all that there is."""
    gone: set[int] = field(default_factory=set)
    """Those that were found to be gone."""

    @classmethod
    def of(cls, ids: Any, gone: Any) -> Inhabitants:
        """From its JSON.

        Raises `ValueError`, `TypeError`, `KeyError` or `AttributeError`.
        """
        known: Groups = {}
        parents, numbers = (unpacked(ids[key]) if isinstance(ids, Mapping) else None for key in ("parents", "ids"))
        numbers = unpacked(ids) if numbers is None else numbers
        for parent, id_ in zip(parents or [NO_GROUP] * len(numbers), numbers, strict=True):
            known.setdefault(parent, set()).add(id_)
        return cls(known, gone=set(unpacked(gone)) if gone else set())

    @property
    def ids(self) -> Any:
        """Those that are known, as JSON."""
        groups = [(parent, sorted(ids)) for parent, ids in sorted(self.known.items())]
        ids = packed(chain.from_iterable(ids for _, ids in groups))
        if self.known.keys() <= {NO_GROUP}:
            return ids
        return {"parents": packed(chain.from_iterable([parent] * len(ids) for parent, ids in groups)), "ids": ids}

    def saw(self, group: int, ids: set[int], *, is_whole: bool) -> bool:
        """These are delivered, which may be the whole group; says whether any of them is new."""
        if is_whole:
            self.current[group] = ids
        known = self.known.setdefault(group, set())
        is_new = not known.issuperset(ids)
        known |= ids
        return is_new

    def settle(self, parents: set[int] | None = None) -> tuple[set[int], set[int]]:
        """Those that are gone now, and those that were gone and are back; `parents` are all that are left, if known."""
        left: Groups = {} if parents is None else {group: set() for group in self.known.keys() - parents}
        left |= self.current
        gone = {id_ for group, ids in left.items() for id_ in self.known.get(group, set()) - ids}
        back = {id_ for ids in self.known.values() for id_ in ids & self.gone} - gone
        self.known = {group: found for group, ids in self.known.items() if (found := ids & left.get(group, ids))}
        self.gone = (self.gone | gone) - back
        return gone, back
