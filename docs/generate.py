"""Writes docs/streams.md from the streams and their schemas; with `--check` it only says whether that is up to date."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airbyte_cdk.sources.utils.casing import camel_to_snake
from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from source_harvest.stream import HarvestStream
from source_harvest.streams import STREAMS

PAGE = Path(__file__).parent / "streams.md"

INTRODUCTION = """\
# Streams

All streams, what one record of each is, and every column.
This page is generated from the streams' classes and schemas by `make docs`; do not edit it by hand.

A record is what Harvest sent, whole, plus a flat column for each nested reference, such as `client_id` beside `client`.
Fields that Harvest adds later pass through, though no column is described for them here.
"""


def page() -> str:
    """The whole page."""
    overview = "\n".join(_overview())
    sections = "\n".join(line for stream in STREAMS for line in _section(stream))
    return f"{INTRODUCTION}\n{overview}\n\n{sections}\n"


def name_of(stream: type[HarvestStream]) -> str:
    """The name of the table."""
    return camel_to_snake(stream.__name__)


def _overview() -> Iterator[str]:
    yield "| stream | made from | primary key | cursor | limited by the start date |"
    yield "|---|---|---|---|---|"
    for stream in STREAMS:
        name = name_of(stream)
        sources = ", ".join(f"`/{source.resource or name_of(source)}`" for source in stream.lists())
        limited = "yes" if stream.limited_by_start_date else "no"
        yield f"| [{name}](#{name}) | {sources} | {_key(stream)} | {_cursor(stream)} | {limited} |"


def _section(stream: type[HarvestStream]) -> Iterator[str]:
    yield f"## {name_of(stream)}\n"
    yield f"{inspect.cleandoc(stream.__doc__ or '')}\n"
    readable_by = " and to ".join(dict.fromkeys(source.readable_by for source in stream.asks_for()))
    yield f"Open to: {readable_by}.\n"
    for column, target in stream.foreign_keys.items():
        yield f"- `{column}` joins [{target}](#{target}).`id`"
    if stream.foreign_keys:
        yield ""
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    properties = ResourceSchemaLoader("source_harvest").get_schema(name_of(stream))["properties"]
    for column, described in properties.items():
        yield f"| `{column}` | {_type(described)} | {described['description']} |"
    yield ""


def _key(stream: type[HarvestStream]) -> str:
    columns = [stream.primary_key] if isinstance(stream.primary_key, str) else stream.primary_key
    return ", ".join(f"`{column}`" for column in columns)


def _cursor(stream: type[HarvestStream]) -> str:
    return f"`{stream.cursor_field}`" if stream.cursor_field else "none"


def _type(described: Mapping[str, Any]) -> str:
    types = described["type"] if isinstance(described["type"], list) else [described["type"]]
    name = next(type_ for type_ in types if type_ != "null")
    return f"{described.get('format', name)}{'' if 'null' in types else ', never null'}"


def main() -> int:
    """Returns 1 where `--check` finds the page out of date, else 0."""
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE} is out of date: run `make docs`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
