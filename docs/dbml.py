"""All tables, columns and keys in DBML, the language of dbdiagram.io and of tools that draw and document databases."""

from collections.abc import Iterator

from docs.facts import name_of, properties, type_of
from source_harvest.stream_types.base import HarvestStream
from source_harvest.streams import STREAMS

INTRODUCTION = """\
// All tables, columns and keys. This file is generated from the streams' classes and schemas by `make docs`; do not
// edit it by hand. Paste it into https://dbdiagram.io, or give it to any tool that reads DBML (https://dbml.dbdiagram.io).
"""

TYPES = {
    "integer": "bigint",
    "number": "double",
    "boolean": "boolean",
    "string": "varchar",
    "date": "date",
    "date-time": "timestamp",
    "time": "time",
    "object": "json",
    "array": "json",
}


def page() -> str:
    """All of docs/data-model.dbml."""
    tables = ["\n".join(_table(stream)) for stream in STREAMS]
    references = [
        f"Ref: {name_of(s)}.{column} > {target}.id" for s in STREAMS for column, target in s.foreign_keys.items()
    ]
    return "\n\n".join([INTRODUCTION.rstrip(), *tables, "\n".join(references)]) + "\n"


def _table(stream: type[HarvestStream]) -> Iterator[str]:
    keys = stream.primary_key
    yield f"Table {name_of(stream)} {{"
    for column, described in properties(stream).items():
        is_key = [column] == keys
        settings = ["pk"] if is_key else [] if "null" in described["type"] else ["not null"]
        note = f"note: '{_escaped(described['description'])}'"
        yield f"  {column} {TYPES[type_of(described)]} [{', '.join([*settings, note])}]"
    if len(keys) > 1:
        yield "\n  indexes {"
        yield f"    ({', '.join(keys)}) [pk]"
        yield "  }"
    yield "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
