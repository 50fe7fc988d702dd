"""Which rows a read has handed on, in a few bytes each: none comes twice, however often its list is read again."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable
from threading import Lock
from typing import Any

import orjson

Row = dict[str, Any]


class NumberSet:
    """A set of whole numbers of up to 64 bits with a sign, in 16 to 32 bytes each; Python's own takes up to 100."""

    def __init__(self) -> None:
        self._table = array("q", [0]) * 64  # open addressing; 0 is a free place
        self._count = 0
        self._has_zero = False

    def __len__(self) -> int:
        return self._count + self._has_zero

    def __contains__(self, number: int) -> bool:
        return self._table[self._place_of(number)] == number if number else self._has_zero

    def add(self, number: int) -> bool:
        """Whether the number is new."""
        if not number:
            was_there, self._has_zero = self._has_zero, True
            return not was_there
        place = self._place_of(number)
        if self._table[place]:
            return False
        self._table[place] = number
        self._count += 1
        if self._count * 2 > len(self._table):
            self._grow()
        return True

    def _place_of(self, number: int) -> int:
        """Where the number is, or else where it would go."""
        table = self._table
        last = len(table) - 1
        place = (number ^ (number >> 29)) * 0x9E3779B1 & last  # ids that follow each other must not crowd together
        while (held := table[place]) and held != number:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        numbers, self._table = self._table, array("q", [0]) * (2 * len(self._table))
        for number in numbers:
            if number:
                self._table[self._place_of(number)] = number


def _version(row: Row) -> Hashable:
    updated = row.get("updated_at")
    return updated if updated and isinstance(updated, str) else content_of(row)


class DeliveredRows:
    """The rows that one read has handed on, each known by its identity and its `updated_at`.

    Both are kept as one hash of 64 bits: that two of a million rows have the same is as likely as 1 in 30 million.
    May be shared by threads.
    """

    def __init__(self, identity: Callable[[Row], Hashable]) -> None:
        """`identity` tells the rows of the list apart."""
        self._identity = identity
        self._versions = NumberSet()
        self._ids = NumberSet()
        self._lock = Lock()

    def new(self, rows: Iterable[Row]) -> list[Row]:
        """Those of the rows that were not handed on yet; from now on they are.

        A row without `updated_at` is known by all that it holds.
        """
        identity, add = self._identity, self._versions.add
        with self._lock:
            return [row for row in rows if add(hash((identity(row), _version(row))))]

    def count(self, rows: Iterable[Row]) -> int:
        """How many of the rows were not counted before, in whichever version."""
        with self._lock:
            return sum(self._ids.add(hash(self._identity(row))) for row in rows)


def content_of(row: Row) -> Hashable:
    """What a row holds; of one that JSON cannot hold, as one that is nested too deep, what its columns hold."""
    try:
        return orjson.dumps(row)
    except TypeError:
        scalars = (str, int, float, bool, type(None))
        return tuple((name, value if isinstance(value, scalars) else None) for name, value in row.items())
