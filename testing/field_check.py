"""Checks records against the documented fields."""

from __future__ import annotations

import re
from typing import Any

from emulator.account.field_notation import Field

_FORMS = {
    "date": r"\d{4}-\d\d-\d\d",
    "stamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "time": r"(1[0-2]|[1-9]):[0-5]\d[ap]m|([01]\d|2[0-3]):[0-5]\d",
}
_TYPES: dict[str, type | tuple[type, ...]] = {"int": int, "num": (int, float), "str": str, "bool": bool}


def differences(record: dict[str, Any], fields: dict[str, Field], at: str = "") -> list[str]:
    """How a record differs from its fields: missing or unknown keys, values of a wrong type or form."""
    found = [f"{at}{key}: missing" for key, f in fields.items() if key not in record and not f.needs_right]
    found += [f"{at}{key}: unknown" for key in record if key not in fields]
    for key in record.keys() & fields.keys():
        found += _of_value(record[key], fields[key], f"{at}{key}")
    return found


def _of_value(value: Any, field: Field, at: str) -> list[str]:
    if value is None:
        return [] if field.nullable else [f"{at}: null"]
    if field.type == "object":
        return differences(value, field.inside, f"{at}.")
    if field.type == "list":
        if field.items:
            return [f"{at}: {item!r}" for item in value if type(item) is not _TYPES[field.items]]
        return [line for item in value for line in differences(item, field.inside, f"{at}[].")]
    if field.type in _FORMS:
        is_right = isinstance(value, str) and re.fullmatch(_FORMS[field.type], value) is not None
    else:
        is_right = isinstance(value, _TYPES[field.type]) and (field.type == "bool" or not isinstance(value, bool))
    return [] if is_right else [f"{at}: {value!r} is no {field.type}"]
