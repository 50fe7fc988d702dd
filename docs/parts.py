"""The generated parts of pages that somebody writes: tables of facts, each between its two marks."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import source_harvest
from docs.elsewhere import AIRBYTE_PARENT_IDS, AIRBYTE_STREAMS, AIRBYTE_TYPES, STITCH_TYPES
from docs.facts import name_of, properties, readable_by, type_of
from docs.stitch_columns import COLUMNS
from source_harvest.streams import STREAMS

TABLES = {name_of(stream): stream for stream in STREAMS}


def settings() -> str:
    """What a user can set."""
    spec = json.loads((Path(source_harvest.__path__[0]) / "spec.json").read_text(encoding="utf-8"))
    lines = ["| setting | field of the config | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *_settings(spec["connectionSpecification"]["properties"], "")])


def _settings(fields: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, described in fields.items():
        for option in described.get("oneOf", ()):
            auth_type = option["properties"]["auth_type"]["const"]
            yield f"| {option['title']} | `{prefix}{name}.auth_type` | | `{auth_type}` |"
            yield from _settings(option["properties"], f"{name}.")
        if "title" in described and "oneOf" not in described and not described.get("airbyte_hidden"):
            meaning = re.sub(r'<a href="(.*?)">(.*?)</a>', r"[\2](\1)", described["description"])
            yield f"| {described['title']} | `{prefix}{name}` | {described.get('default', '')} | {meaning} |"


def roles() -> str:
    """Which user may read which streams."""
    streams_of: dict[str, list[str]] = {}
    for name, stream in TABLES.items():
        sources = stream.asks_for()
        if len(sources) == 1:
            who = readable_by(stream)
        else:
            who = f"whoever may read {', '.join(f'`{name_of(source)}`' for source in sources)}"
        streams_of.setdefault(who, []).append(f"`{name}`")
    rows = [f"| {who} | {', '.join(streams)} |" for who, streams in streams_of.items()]
    return "\n".join(["| open to | streams |", "|---|---|", *rows])


def airbyte_streams() -> str:
    """What became of each stream of Airbyte's own connector."""
    there = {name: here for name, here in AIRBYTE_STREAMS.items() if here in TABLES}
    same = [f"`{name}`" for name, here in there.items() if name == here]
    renamed = [f"- `{name}` is now `{here}`." for name, here in there.items() if name != here]
    missing = [f"`{name}`" for name in AIRBYTE_STREAMS if name not in there]
    parts = [f"- The same name: {', '.join(same)}.", *renamed, f"- New: {_listed(TABLES.keys() - there.values())}."]
    return "\n".join([*parts, *([f"- Not in this version: {', '.join(missing)}."] if missing else [])])


def airbyte_columns() -> str:
    """Which columns have another type, or another name, than in Airbyte's own connector."""
    parents = [
        f"| `{table}` | `parent_id` | `{column}`: {type_of(properties(TABLES[table])[column])} |"
        for table, column in AIRBYTE_PARENT_IDS.items()
    ]
    return "\n".join([*_types(AIRBYTE_TYPES), *parents])


def stitch_columns() -> str:
    """Which columns have another type than Stitch and Qlik document."""
    return "\n".join(_types(STITCH_TYPES))


def _types(elsewhere: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    yield "| table | column there | column here |"
    yield "|---|---|---|"
    for table, columns in elsewhere.items():
        for column, type_there in columns.items():
            type_here = type_of(properties(TABLES[table])[column])
            if type_here == type_there:
                raise ValueError(f"{table}.{column} is {type_here} here and there")
            yield f"| `{table}` | `{column}`: {type_there} | {type_here} |"


def stitch_additions() -> str:
    """Which columns and tables Stitch and Qlik do not document."""
    lines = ["| table | new columns |", "|---|---|"]
    for table, types in COLUMNS.items():
        known = {column for columns in types.values() for column in columns.split()}
        found = properties(TABLES[table]).keys()
        if known - found:
            raise ValueError(f"{table} lacks {known - found}")
        if new := [f"`{column}`" for column in found if column not in known]:
            lines.append(f"| `{table}` | {', '.join(new)} |")
    tables = TABLES.keys() - COLUMNS.keys()
    return "\n".join([*lines, *([f"\nNew tables: {_listed(tables)}."] if tables else [])])


def _listed(tables: Iterable[str]) -> str:
    chosen = set(tables)
    return ", ".join(f"`{table}`" for table in TABLES if table in chosen)


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "reference.md": {"settings": settings},
    "security.md": {"roles": roles},
    "migrating-from-airbyte.md": {"streams": airbyte_streams, "columns": airbyte_columns},
    "migrating-from-stitch.md": {"columns": stitch_columns, "additions": stitch_additions},
}
