"""JSON schema to columns: which column a property becomes, and which values it takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTRA = "_extra"
"""The JSON column that keeps the fields which the schema does not name."""

_BY_FORMAT = {"date": "DATE", "date-time": "TIMESTAMP WITH TIME ZONE", "time": "TIME"}
_BY_TYPE = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "string": "VARCHAR"}

# DuckDB would turn 1.5 into the integer 2 and cut the time off a date without a word.
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "BIGINT": (int,),
    "DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "VARCHAR": (str,),
    "DATE": (str,),
    "TIMESTAMP WITH TIME ZONE": (str,),
    "TIME": (str,),
}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class MisfitError(ValueError):
    """A record or a catalog that contradicts the stream's schema."""


def columns_of(json_schema: Mapping[str, Any]) -> dict[str, str]:
    """The table's columns and their DuckDB types, by name, as the schema orders them, `_extra` last."""
    properties: Mapping[str, Any] = json_schema["properties"]
    return {name: _column_type(declared) for name, declared in properties.items()} | {EXTRA: "JSON"}


def row_of(record: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """The record as a row: what no column takes goes to `_extra`, a field left out is null.

    MisfitError where a value is not of its column's type.
    """
    row = {name: _checked(name, record.get(name), column) for name, column in columns.items()}
    row[EXTRA] = {name: value for name, value in record.items() if name not in columns} or None
    return row


def _column_type(declared: Mapping[str, Any]) -> str:
    """One plain type beside null becomes that type; objects, arrays and mixtures become JSON."""
    types = declared.get("type", [])
    plain = [name for name in ([types] if isinstance(types, str) else types) if name != "null"]
    if len(plain) != 1:
        return "JSON"
    if plain[0] == "string":
        return _BY_FORMAT.get(declared.get("format", ""), "VARCHAR")
    return _BY_TYPE.get(plain[0], "JSON")


def _checked(name: str, value: Any, column: str) -> Any:
    """The value itself, once it is seen to be what the column holds."""
    accepted = _ACCEPTED.get(column)
    if value is None or accepted is None:
        return value
    if type(value) not in accepted or (column == "DATE" and not _DATE.fullmatch(value)):
        raise MisfitError(f"{name}: {value!r} is no {column}")
    return value
