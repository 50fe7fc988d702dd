"""Reads the notation of `fields.FIELDS`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from emulator.account.fields import FIELDS


@dataclass(frozen=True)
class Field:
    """One field of a record: its type, whether it may be null, and whether a user needs a right to see it."""

    type: str  # int, num, str, bool, date, stamp, time, object or list
    nullable: bool = False
    needs_right: bool = False
    inside: dict[str, Field] = field(default_factory=dict)  # of an object, or of each object of a list
    items: str = ""  # the type of the values of a list of plain values


@cache
def fields_of(name: str) -> dict[str, Field]:
    """The fields of the records with that name in `FIELDS`, in the order in which Harvest sends them."""
    return _fields(re.findall(r"\w+|[{}\[\]:?!]", FIELDS[name])[::-1])


def _fields(tokens: list[str]) -> dict[str, Field]:
    """Take fields from the end of the reversed tokens, up to the bracket that closes them."""
    fields = {}
    while tokens and tokens[-1] not in "}]":
        name, opening = tokens.pop(), tokens.pop()
        inside: dict[str, Field] = {}
        items = ""
        if opening == ":":
            kind = tokens.pop()
        elif opening == "[" and tokens[-2] == "]":
            kind, items = "list", tokens.pop()
            tokens.pop()
        else:
            kind, inside = {"{": "object", "[": "list"}[opening], _fields(tokens)
            tokens.pop()
        marks = ""
        while tokens and tokens[-1] in "?!":
            marks += tokens.pop()
        fields[name] = Field(kind, "?" in marks, "!" in marks, inside, items)
    return fields


_EMPTY = {"str": "", "int": 0, "num": 0.0, "bool": False}


@cache
def blank(name: str) -> dict[str, object]:
    """A record with every field, null or the zero of its type. Copy it, and set its lists."""
    return {key: None if f.nullable else _EMPTY.get(f.type) for key, f in fields_of(name).items()}
