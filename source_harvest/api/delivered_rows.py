"""Remembers the rows that were delivered, in a few bytes each, so that a list that is read again repeats none."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable
from threading import Lock

import orjson

from source_harvest.api.timestamps import Row


class NumberSet:
    """A set of signed 64-bit integers that takes 16 to 32 bytes for each; Python's own takes up to 100."""

    def __init__(self) -> None:
        self._table = array("q", [0]) * 64  # open addressing; 0 marks a free entry
        self._count = 0
        self._has_zero = False

    def __len__(self) -> int:
        return self._count + self._has_zero

    def __contains__(self, number: int) -> bool:
        return self._table[self._index_of(number)] == number if number else self._has_zero

    def add(self, number: int) -> bool:
        """Adds the number; returns whether it is new."""
        if not number:
            was_there, self._has_zero = self._has_zero, True
            return not was_there
        index = self._index_of(number)
        if self._table[index]:
            return False
        self._table[index] = number
        self._count += 1
        if self._count * 2 > len(self._table):
            self._grow()
        return True

    def _index_of(self, number: int) -> int:
        """The index of the number, or of the free entry where it would go."""
        table = self._table
        last = len(table) - 1
        index = (number ^ (number >> 29)) * 0x9E3779B1 & last  # spreads consecutive ids
        while (held := table[index]) and held != number:
            index = (index + 1) & last
        return index

    def _grow(self) -> None:
        numbers, self._table = self._table, array("q", [0]) * (2 * len(self._table))
        for number in numbers:
            if number:
                self._table[self._index_of(number)] = number


def _version(row: Row) -> Hashable:
    """Its `updated_at`, else the row as JSON, or its top-level values if it is nested too deep for JSON."""
    updated = row.get("updated_at")
    if updated and isinstance(updated, str):
        return updated
    try:
        return orjson.dumps(row)
    except TypeError:
        scalars = (str, int, float, bool, type(None))
        return tuple((name, value if isinstance(value, scalars) else None) for name, value in row.items())


class DeliveredRows:
    """The rows that one read has delivered, each known by its identity and its `updated_at`.

    Both are kept as one 64-bit hash: the chance that two of a million rows share one is about 1 in 30 million.
    Thread-safe.
    """

    def __init__(self, identity: Callable[[Row], Hashable]) -> None:
        """`identity` tells the list's rows apart."""
        self._identity = identity
        self._versions = NumberSet()
        self._ids = NumberSet()
        self._lock = Lock()

    def new(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that were not delivered before; from now on they count as delivered.

        A row without `updated_at` is known by its whole content.
        """
        identity, add = self._identity, self._versions.add
        with self._lock:
            return [row for row in rows if add(hash((identity(row), _version(row))))]

    def count(self, rows: Iterable[Row]) -> int:
        """How many of the rows were not counted before, in any version."""
        with self._lock:
            return sum(self._ids.add(hash(self._identity(row))) for row in rows)
