"""Writes the generated pages and parts of docs/; with `--check` it only says whether they are up to date.

A page of `PAGES` is generated whole. A part of `PARTS` is what stands between its two marks in a page of somebody's.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from docs import dbml, errors
from docs.facts import name_of, properties, readable_by, type_of
from docs.parts import PARTS
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.deletions import DeletedRecordsStream
from source_harvest.stream_types.embedded import EmbeddedStream
from source_harvest.stream_types.per_parent import ChangedParentsStream, PerParentStream
from source_harvest.streams import STREAMS

FOLDER = Path(__file__).parent

DIAGRAMS: Mapping[str, tuple[str, ...]] = {
    "Time": ("clients", "projects", "roles", "tasks", "time_entries", "users"),
    "Billing": ("estimates", "expenses", "invoices"),
    "Reports and leave": (),
}
"""Title -> the modules of `source_harvest.streams` whose tables it shows; none: of all other modules."""

STREAMS_INTRODUCTION = """\
# Streams

All streams, what one record of each is, who may read it, and every column.
This page is generated from the streams' classes and schemas by `make docs`; do not edit it by hand.

A record is all that Harvest sent, and a flat column for each nested reference, such as `client_id` beside `client`.
Fields that Harvest adds later are in the record too, though this page does not describe them.
A stream with a cursor can be read incrementally. A stream without one is read whole in each sync.
"""

MODEL_INTRODUCTION = """\
# Data model

How the tables join: every primary key and every foreign key.
This page is generated from the streams' classes by `make docs`; do not edit it by hand.
The columns themselves are described in [streams.md](streams.md).

The tests load a synced account into DuckDB and PostgreSQL, and check that every key is unique and every join holds.
"""

MODEL_NOTES = """\
## Good to know

- Join on ids. Names inside other records, such as `client.name` in a time entry, are as of that record's last change.
- A null key points to nothing: a line item without a project, an invoice without an estimate.
- The `kind` of a line item is the name of a category, not its id. A line item keeps the name that the category had.
- `retainer_id`, `recurring_invoice_id`, `payment_gateway_id` and `external_reference_id` join no table:
  Harvest has no list of what they name.
- `user_projects` and `project_users` hold the same assignments under the same ids. Use one of them.
- A record that was deleted in Harvest stays in an incremental table, so a key may point to a record that Harvest no
  longer has.
- A manager's credentials show a part of the account, so some keys join nothing. An administrator's show all.
"""


def streams_page() -> str:
    """All of docs/streams.md."""
    overview = "\n".join(_overview())
    sections = "\n".join(line for stream in STREAMS for line in _section(stream))
    return f"{STREAMS_INTRODUCTION}\n{overview}\n\n{sections}\n"


def model_page() -> str:
    """All of docs/data-model.md."""
    parts = [MODEL_INTRODUCTION, "\n".join(_diagrams()), "\n".join(_keys()), "\n".join(_joins()), MODEL_NOTES]
    return "\n\n".join(part.strip() for part in parts) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "streams.md": streams_page,
    "data-model.md": model_page,
    "data-model.dbml": dbml.page,
    "errors.md": errors.page,
}


def _overview() -> Iterator[str]:
    yield "| stream | made from | primary key | cursor | limited by the start date |"
    yield "|---|---|---|---|---|"
    for stream in STREAMS:
        name = name_of(stream)
        limited = "yes" if stream.limited_by_start_date else "no"
        yield f"| [{name}](#{name}) | {_sources(stream)} | {_key(stream)} | {_cursor(stream)} | {limited} |"


def _sources(stream: type[HarvestStream]) -> str:
    if issubclass(stream, DeletedRecordsStream):
        return "the lists of the streams beside it"
    paths = [stream.resource] if stream.resource else [it.resource or name_of(it) for it in stream.source_lists()]
    below = f"/{{id}}/{stream.below_parent}" if issubclass(stream, PerParentStream) else ""
    return ", ".join(f"`/{path}{below}`" for path in paths)


def _section(stream: type[HarvestStream]) -> Iterator[str]:
    yield f"## {name_of(stream)}\n"
    yield f"{inspect.cleandoc(stream.__doc__ or '')}\n"
    yield f"Open to: {readable_by(stream)}.\n"
    for column, target in stream.foreign_keys.items():
        yield f"- `{column}` joins [{target}](#{target}).`id`"
    if stream.foreign_keys:
        yield ""
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    for column, described in properties(stream).items():
        never_null = "" if "null" in described["type"] else ", never null"
        yield f"| `{column}` | {type_of(described)}{never_null} | {described['description']} |"
    yield ""


def _diagrams() -> Iterator[str]:
    yield "## Diagrams\n"
    yield "A line is a join, and its label is the column. The column is in the table at the forked end of the line."
    yield "A circle at the other end means that the key may be null."
    yield "Each join is in the diagram of the table that has the column."
    yield "[data-model.dbml](data-model.dbml) has all tables, columns and joins, for tools that draw databases."
    named = {module for modules in DIAGRAMS.values() for module in modules}
    for title, modules in DIAGRAMS.items():
        yield f"\n### {title}\n"
        yield "```mermaid"
        yield "erDiagram"
        yield from _diagram([it for it in STREAMS if (_module(it) in modules if modules else _module(it) not in named)])
        yield "```"


def _diagram(streams: list[type[HarvestStream]]) -> Iterator[str]:
    for stream in streams:
        for column, target in stream.foreign_keys.items():
            one = "||" if column in stream.primary_key else "|o"
            yield f"    {target} {one}--o{{ {name_of(stream)} : {column}"
    joined = {target for stream in STREAMS for target in stream.foreign_keys.values()}
    alone = [name_of(stream) for stream in streams if not stream.foreign_keys and name_of(stream) not in joined]
    yield from (f"    {name}" for name in alone)


def _module(stream: type[HarvestStream]) -> str:
    return stream.__module__.rpartition(".")[2]


def _keys() -> Iterator[str]:
    yield "## Primary keys\n"
    yield "| table | primary key |"
    yield "|---|---|"
    for stream in STREAMS:
        yield f"| [{name_of(stream)}](streams.md#{name_of(stream)}) | {_key(stream)} |"


def _joins() -> Iterator[str]:
    yield "## Joins\n"
    yield "Every foreign key, and the column that it refers to."
    yield "If a start date is set, a key marked * may point to a record that is not there, because that record was last"
    yield "changed before the start date."
    yield ""
    yield "| table | column | joins |"
    yield "|---|---|---|"
    named = {name_of(stream): stream for stream in STREAMS}
    for stream in STREAMS:
        for column, target in stream.foreign_keys.items():
            mark = " *" if named[target].limited_by_start_date and column != _parent_key(stream) else ""
            yield f"| `{name_of(stream)}` | `{column}` | `{target}.id`{mark} |"


def _parent_key(stream: type[HarvestStream]) -> str | None:
    return stream.parent_key if issubclass(stream, ChangedParentsStream | EmbeddedStream) else None


def _key(stream: type[HarvestStream]) -> str:
    return ", ".join(f"`{column}`" for column in stream.primary_key)


def _cursor(stream: type[HarvestStream]) -> str:
    return f"`{stream.cursor_field}`" if stream.cursor_field else "none"


def wanted(page: str) -> str:
    """What the file of that name is to hold.

    Raises `ValueError` where a part has no place in it.
    """
    if page in PAGES:
        return PAGES[page]()
    text = (FOLDER / page).read_text(encoding="utf-8")
    for name, part in PARTS[page].items():
        begin, end = f"<!-- generated: {name} -->\n", "\n<!-- end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"docs/{page} has no place for {name}")
        text = f"{before}{begin}{part()}{end}{after}"
    return text


def main() -> int:
    """Returns 1 where `--check` finds a page out of date, else 0."""
    stale = [page for page in [*PAGES, *PARTS] if not _holds(page, wanted(page))]
    if "--check" not in sys.argv:
        for page in stale:
            (FOLDER / page).write_text(wanted(page), encoding="utf-8")
        return 0
    for page in stale:
        print(f"docs/{page} is out of date: run `make docs`.", file=sys.stderr)
    return 1 if stale else 0


def _holds(page: str, text: str) -> bool:
    path = FOLDER / page
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
