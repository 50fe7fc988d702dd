"""Every table is whole and true: records are compared with the account, field by field."""

import json
import re
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode
from jsonschema import Draft7Validator, FormatChecker

from docs.stitch_columns import COLUMNS
from emulator import Harvest
from source_harvest.source import SourceHarvest
from source_harvest.streams import STREAMS
from testing.expected_tables import tables
from testing.in_process import LOGGER, Record, sync
from testing.streams import DELETED, STREAM_NAMES, stream_name


def test_every_list_is_asked_for_with_the_largest_pages(harvest: Harvest, config: dict[str, Any]) -> None:
    sync({**config, "replication_start_date": "2026-01-01"}, STREAM_NAMES)
    lists = [request for request in harvest.requests if request.path not in SINGLE]
    assert {request.query.get("per_page") for request in lists} == {"2000"}


SINGLE = ("/v2/company", "/v2/users/me", "/v2/pto/balances")
FORMATS = FormatChecker(formats=[])
TYPES = {
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "array": {"type": "array"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time", "airbyte_type": "time_without_timezone"},
    "timestamp": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"},
}


@FORMATS.checks("date")
def is_date(value: object) -> bool:
    return _matches(value, r"\d{4}-\d\d-\d\d")


@FORMATS.checks("date-time")
def is_timestamp(value: object) -> bool:
    return _matches(value, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@FORMATS.checks("time")
def is_time(value: object) -> bool:
    return _matches(value, r"\d\d:\d\d:\d\d")


def _matches(value: object, pattern: str) -> bool:
    return not isinstance(value, str) or re.fullmatch(pattern, value) is not None


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    config = {"credentials": {"auth_type": "Token", "api_token": "any"}}
    return {stream.name: stream.json_schema for stream in SourceHarvest().discover(LOGGER, config).streams}


@pytest.mark.slow
@pytest.mark.parametrize("mode", [SyncMode.full_refresh, SyncMode.incremental])
@pytest.mark.parametrize("name", [name for name in STREAM_NAMES if name != DELETED])
def test_a_stream_alone_holds_whole_what_the_account_holds(
    name: str, mode: SyncMode, harvest: Harvest, config: dict[str, Any]
) -> None:
    result = sync(config, [name], mode=mode)
    assert _sorted(result.records(name)) == _sorted(tables(harvest)[name]) != []
    assert result.statuses == {name: "COMPLETE"}


def test_all_streams_together_hold_what_the_account_holds(harvest: Harvest, config: dict[str, Any]) -> None:
    result = sync(config, STREAM_NAMES)
    for name, rows in tables(harvest).items():
        assert _sorted(result.records(name)) == _sorted(rows), name
    assert result.statuses == dict.fromkeys(STREAM_NAMES, "COMPLETE")


@pytest.mark.slow
def test_lists_of_many_pages_are_read_to_their_end(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 2
    result = sync(config, STREAM_NAMES)
    for name, rows in tables(harvest).items():
        assert _sorted(result.records(name)) == _sorted(rows), name


@pytest.mark.slow
def test_each_list_is_asked_for_once_however_many_streams_need_it(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 3
    sync(config, STREAM_NAMES)
    asked = [(request.path, tuple(sorted(request.query.items()))) for request in harvest.requests]
    assert len(asked) == len(set(asked))


@pytest.mark.slow
def test_every_record_is_as_its_schema_says(harvest: Harvest, config: dict[str, Any], schemas: dict[str, Any]) -> None:
    result = sync(config, STREAM_NAMES)
    for name in STREAM_NAMES:
        validator = Draft7Validator(schemas[name], format_checker=FORMATS)
        for record in result.records(name):
            validator.validate(record)
            assert record.keys() <= schemas[name]["properties"].keys()


@pytest.mark.parametrize("name", COLUMNS)
def test_the_documented_columns_are_there_with_their_true_types(name: str, schemas: dict[str, Any]) -> None:
    properties = schemas[name]["properties"]
    for type_, columns in COLUMNS[name].items():
        for column in columns.split():
            described = properties[column]
            expected = dict(TYPES[type_])
            base = expected.pop("type")
            assert described["type"] in (base, ["null", base]), column
            assert {key: described.get(key) for key in ("format", "airbyte_type")} == {
                key: expected.get(key) for key in ("format", "airbyte_type")
            }, column


@pytest.mark.parametrize("name", STREAM_NAMES)
def test_only_keys_and_cursors_are_never_null_and_all_is_described(name: str, schemas: dict[str, Any]) -> None:
    stream = next(s for s in STREAMS if stream_name(s) == name)
    keys = stream.primary_key
    never_null = {*keys, *([stream.cursor_field] if isinstance(stream.cursor_field, str) else [])}
    properties = schemas[name]["properties"]
    assert {column for column, described in properties.items() if "null" not in described["type"]} == never_null
    assert all(described["description"] for described in properties.values())
    assert schemas[name]["additionalProperties"] is True


def test_hours_keep_their_fractions_and_times_of_day_are_times(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.update("time_entries", harvest.listed("time_entries")[0]["id"], hours=2.5)
    for clock_format in ("12h", "24h"):
        harvest.clock_format = clock_format
        result = sync(config, ["time_entries"])
        assert _sorted(result.records("time_entries")) == _sorted(tables(harvest)["time_entries"])
    assert 2.5 in [entry["hours"] for entry in result.records("time_entries")]


def test_fields_that_no_document_names_pass_through(harvest: Harvest, config: dict[str, Any]) -> None:
    row = {**harvest.listed("clients")[0], "brand_new": {"deep": [1, None]}}
    harvest.faults.add(path="/clients$", status=200, body=json.dumps({"clients": [row], "links": {"next": None}}))
    assert sync(config, ["clients"]).records("clients") == [row]


def _sorted(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda record: json.dumps(record, sort_keys=True))
