"""Turns a row of Harvest's into a record: all its fields, plus flat columns and parsed times."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, ClassVar

from source_harvest.api.timestamps import Row
from source_harvest.errors import UNDOCUMENTED
from source_harvest.stream_types.odd_rows import OddRows

logger = logging.getLogger("airbyte")

# How Harvest displays a time of day, without blanks.
CLOCKS = ("%I:%M%p", "%I:%M:%S%p", "%H:%M", "%H:%M:%S")


class ColumnFacts:
    """What a stream says of its columns."""

    primary_key: list[str] = ["id"]
    foreign_keys: ClassVar[Mapping[str, str]] = {}
    """Column -> the stream it refers to. `client_id` is the `id` of the nested `client`."""
    flattened: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Nested object -> its further fields that become columns, such as `receipt_url`."""
    text_keys: ClassVar[tuple[str, ...]] = ()
    """Primary key columns that may hold text; the others hold whole numbers."""
    clock_times: ClassVar[tuple[str, ...]] = ()
    """Columns with a time of day, in the format that the account displays."""
    decimal_texts: ClassVar[tuple[str, ...]] = ()
    """Columns whose numbers Harvest sends as text."""
    access_role_flags: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Boolean column -> the access roles that imply it."""


class RecordBuilder:
    """Adds the columns that Harvest does not send. Reads the stream's facts once."""

    def __init__(self, stream: ColumnFacts, odd_rows: OddRows) -> None:
        self._odd_rows = odd_rows
        self._flat = [(column, column.removesuffix("_id"), "id") for column in stream.foreign_keys]
        self._flat += [
            (f"{nested}_{field}", nested, field) for nested, fields in stream.flattened.items() for field in fields
        ]
        self._keys = {key: (int, str) if key in stream.text_keys else (int,) for key in stream.primary_key}
        self._conversions: dict[str, Callable[[Any], object]] = {
            **dict.fromkeys(stream.decimal_texts, _number),
            **{column: partial(self._time, column) for column in stream.clock_times},
        }
        self._flags = stream.access_role_flags
        self._warned: set[str] = set()

    def records(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The records of rows, without those that are not as documented: they are left out and reported."""
        for row in rows:
            try:
                record = self.record(row)
            except UNDOCUMENTED as error:
                self._odd_rows.leave_out_row(row, error)
            else:
                yield record

    def record(self, row: Row) -> Row:
        """The row itself with the columns added; a null reference gives a null key.

        Raises `ValueError` if a reference is not an object or a primary key column has the wrong type, and an error of
        `errors.UNDOCUMENTED` for anything else that is not as documented.
        """
        for column, convert in self._conversions.items():
            row[column] = convert(row.get(column))
        for column, nested, field in self._flat:
            if nested in row:
                reference = row[nested]
                if reference is not None and type(reference) is not dict:
                    raise ValueError(f"{nested} is no object")
                row[column] = None if reference is None else reference.get(field)
            else:
                row.setdefault(column, None)
        for column, implied_by in self._flags.items():
            if column not in row:
                roles = row.get("access_roles")
                row[column] = None if roles is None else not set(implied_by).isdisjoint(roles)
        for key, types in self._keys.items():
            if type(row[key]) not in types:
                raise ValueError(f"{key} is {row[key]!r}")
        return row

    def can_be_key(self, column: str, value: object) -> bool:
        """Whether a primary key column may hold a value of this type."""
        return type(value) in self._keys[column]

    def _time(self, column: str, value: str | None) -> str | None:
        if value is None:
            return None
        time = time_of_day(value)
        if time is None and column not in self._warned:
            self._warned.add(column)
            logger.warning("%s holds %r, which is not a known time of day; such values become null", column, value)
        return time


def _number(value: Any) -> float | None:
    number = float(value) if isinstance(value, str) else value
    if number is not None and (type(number) not in {int, float} or not math.isfinite(number)):
        raise ValueError(f"{value!r} is no number")
    return number


@lru_cache(maxsize=4096)
def time_of_day(displayed: str) -> str | None:
    """Parses a displayed time, "3:00pm" or "15:00", to "15:00:00"; None for anything else."""
    for clock in CLOCKS:
        with suppress(ValueError):
            return datetime.strptime("".join(displayed.split()), clock).time().isoformat()  # noqa: DTZ007
    return None
