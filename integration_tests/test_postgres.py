"""A synced account in a real PostgreSQL: every declared key holds, and the example queries answer as in DuckDB."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from demo.loader import Warehouse
from emulator import Server
from source_harvest.streams import STREAMS
from testing.configs import BY_YEAR, config_of
from testing.destinations import DuckDBDestination
from testing.example_queries import EMPTY_VIEW, QUERIES, VIEW, agency
from testing.postgres import NoPostgresError, Postgres, postgres
from testing.streams import stream_name

TYPES = {
    "integer": "BIGINT",
    "number": "NUMERIC",
    "boolean": "BOOLEAN",
    "string": "TEXT",
    "date": "DATE",
    "date-time": "TIMESTAMPTZ",
    "time": "TIME",
    "object": "JSONB",
    "array": "JSONB",
}
FOREIGN_KEYS = [
    (stream_name(stream), column, target) for stream in STREAMS for column, target in stream.foreign_keys.items()
]


@dataclass
class Loaded:
    """The same tables in both."""

    postgres: Postgres
    duckdb: Warehouse


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """The tables after three syncs, in PostgreSQL with primary keys.

    A week of work passed, in which rows were deleted, and one of them came back.
    """
    folder = tmp_path_factory.mktemp("postgres")
    harvest = agency()
    try:
        with postgres() as server, Warehouse(folder / "warehouse.duckdb") as warehouse:
            with Server(harvest) as emulator:
                DuckDBDestination(warehouse).sync(folder, config_of(harvest, emulator) | BY_YEAR)
                expense = harvest.state.row("expenses", harvest.listed("expenses")[0]["id"])
                harvest.delete("expenses", expense["id"])
                harvest.work(days=7)
                DuckDBDestination(warehouse).sync(folder, config_of(harvest, emulator) | BY_YEAR)
                harvest.state.put("expenses", expense)
                harvest.clock.advance(days=1)
                DuckDBDestination(warehouse).sync(folder, config_of(harvest, emulator) | BY_YEAR)
            for stream in STREAMS:
                server.run(_table(stream_name(stream), stream.primary_key, warehouse))
            warehouse.query(VIEW)
            server.run(f"{EMPTY_VIEW}; {VIEW};")
            yield Loaded(server, warehouse)
    except NoPostgresError as error:
        pytest.skip(str(error))


def _table(name: str, key: str | list[str], warehouse: Warehouse) -> str:
    """The table with its rows, as SQL."""
    properties = ResourceSchemaLoader("source_harvest").get_schema(name)["properties"]
    columns = [f'"{column}" {_type(described)}' for column, described in properties.items()]
    keys = f"PRIMARY KEY ({key if isinstance(key, str) else ', '.join(key)})"
    rows = [",".join(_cell(row[column]) for column in properties) for row in warehouse.rows(name)]
    copy = f"COPY {name} FROM STDIN WITH (FORMAT csv);"
    return "\n".join([f"CREATE TABLE {name} ({', '.join([*columns, keys])});", copy, *rows, "\\.", ""])


def _type(described: dict[str, Any]) -> str:
    types = described["type"] if isinstance(described["type"], list) else [described["type"]]
    name = described.get("format") or next(name for name in types if name != "null")
    return TYPES[name] + ("" if "null" in types else " NOT NULL")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return '"' + text.replace('"', '""') + '"'


def _read(text: str, like: Any) -> Any:
    """A value that PostgreSQL wrote, as DuckDB has it."""
    if not text:
        return None
    if isinstance(like, float):
        return pytest.approx(float(text))
    readers: Mapping[type, Callable[[str], Any]] = {date: date.fromisoformat, int: int, str: str, Decimal: Decimal}
    return readers[type(like)](text)


@pytest.mark.parametrize(("table", "column", "target"), FOREIGN_KEYS)
def test_every_foreign_key_holds(table: str, column: str, target: str, loaded: Loaded) -> None:
    loaded.postgres.run(f"ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {target} (id);")


def test_a_key_that_points_nowhere_would_be_refused(loaded: Loaded) -> None:
    with pytest.raises(AssertionError, match="violates foreign key constraint"):
        loaded.postgres.run("ALTER TABLE contacts ADD FOREIGN KEY (id) REFERENCES clients (id);")


def test_every_row_is_there(loaded: Loaded) -> None:
    for name in map(stream_name, STREAMS):
        [counted] = loaded.postgres.run(f"SELECT count(*) AS rows FROM {name};")
        assert int(counted["rows"]) == len(loaded.duckdb.rows(name)) > 0


@pytest.mark.parametrize("title", QUERIES)
def test_the_example_queries_answer_as_in_duckdb(title: str, loaded: Loaded) -> None:
    sql = QUERIES[title].replace("current_date", "DATE '2026-03-20'").rstrip()
    expected = loaded.duckdb.query(sql)
    found = [
        {column: _read(text, like[column]) for column, text in row.items()}
        for row, like in zip(loaded.postgres.run(f"{sql};"), expected, strict=True)
    ]
    assert expected == found
