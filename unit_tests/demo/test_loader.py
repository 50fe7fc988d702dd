"""The destination: what a load leaves in the file, whatever the messages are and wherever they break off."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timezone
from typing import TYPE_CHECKING, Any

import pytest

from demo.columns import MisfitError
from demo.loader import StreamSummary, Warehouse
from demo.table import Changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS = {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "harvest.duckdb"


@pytest.fixture
def warehouse(path: Path) -> Iterator[Warehouse]:
    with Warehouse(path) as opened:
        yield opened


def catalog(
    mode: str = "append_dedup",
    properties: dict[str, Any] = CLIENTS,
    key: tuple[str, ...] = ("id",),
    name: str = "clients",
) -> dict[str, Any]:
    configured = {
        "stream": {"name": name, "json_schema": {"type": "object", "properties": properties}},
        "sync_mode": "full_refresh" if mode == "overwrite" else "incremental",
        "destination_sync_mode": mode,
        "primary_key": [[part] for part in key],
    }
    return {"streams": [configured]}


def record(stream: str = "clients", **data: Any) -> dict[str, Any]:
    return {"type": "RECORD", "record": {"stream": stream, "data": data, "emitted_at": 0}}


def state(cursor: str, stream: str = "clients") -> dict[str, Any]:
    return {
        "type": "STATE",
        "state": {
            "type": "STREAM",
            "stream": {"stream_descriptor": {"name": stream}, "stream_state": {"updated_at": cursor}},
        },
    }


def status(value: str, stream: str = "clients") -> dict[str, Any]:
    stream_status = {"stream_descriptor": {"name": stream}, "status": value}
    return {
        "type": "TRACE",
        "trace": {"type": "STREAM_STATUS", "emitted_at": 0, "stream_status": stream_status},
    }


def breaks_off(*messages: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from messages
    raise ConnectionResetError


def test_rows_are_upserted_by_primary_key_and_the_last_message_wins(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme"), record(id=2, name="Bolt"), state("a")], catalog())
    third_twice = [record(id=3, name="x"), state("b"), record(id=3, name="Crest")]
    fourth_twice = [record(id=4, name="y"), record(id=4, name="Dune")]
    warehouse.load([record(id=2, name="Bolt & Co"), *third_twice, *fourth_twice], catalog())
    assert warehouse.rows("clients") == [
        {"id": 1, "name": "Acme", "_extra": None},
        {"id": 2, "name": "Bolt & Co", "_extra": None},
        {"id": 3, "name": "Crest", "_extra": None},
        {"id": 4, "name": "Dune", "_extra": None},
    ]


def test_every_part_of_a_primary_key_counts(warehouse: Warehouse) -> None:
    pairs = {"user_id": {"type": "integer"}, "role_id": {"type": "integer"}, "note": {"type": "string"}}
    by_pair = catalog(properties=pairs, key=("user_id", "role_id"))
    warehouse.load([record(user_id=1, role_id=1, note="a"), record(user_id=1, role_id=2, note="b")], by_pair)
    warehouse.load([record(user_id=1, role_id=2, note="c")], by_pair)
    assert warehouse.rows("clients") == [
        {"user_id": 1, "role_id": 1, "note": "a", "_extra": None},
        {"user_id": 1, "role_id": 2, "note": "c", "_extra": None},
    ]


@pytest.mark.parametrize("configured", [catalog("append"), catalog("append_dedup", key=())])
def test_rows_are_appended_where_nothing_identifies_them(warehouse: Warehouse, configured: dict[str, Any]) -> None:
    for _ in range(2):
        warehouse.load([record(id=1, name="Acme"), record(id=1, name="Acme")], configured)
    assert warehouse.rows("clients") == [{"id": 1, "name": "Acme", "_extra": None}] * 4


def test_rows_are_written_once_however_many_states_follow(warehouse: Warehouse) -> None:
    batches = [record(id=1, name="Acme"), record(id=2, name="Bolt"), state("a"), record(id=3, name="C"), state("b")]
    warehouse.load([*batches, state("c")], catalog("append"))
    assert warehouse.rows("clients") == [
        {"id": 1, "name": "Acme", "_extra": None},
        {"id": 2, "name": "Bolt", "_extra": None},
        {"id": 3, "name": "C", "_extra": None},
    ]


def test_a_complete_full_refresh_replaces_the_table(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme"), record(id=2, name="Bolt"), status("COMPLETE")], catalog("overwrite"))
    warehouse.load([record(id=2, name="Bolt"), record(id=3, name="Crest"), status("COMPLETE")], catalog("overwrite"))
    assert warehouse.rows("clients") == [
        {"id": 2, "name": "Bolt", "_extra": None},
        {"id": 3, "name": "Crest", "_extra": None},
    ]


def test_a_complete_full_refresh_without_rows_empties_the_table(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme"), status("COMPLETE")], catalog("overwrite"))
    warehouse.load([status("STARTED"), status("COMPLETE")], catalog("overwrite"))
    assert warehouse.rows("clients") == []


@pytest.mark.parametrize(
    "ending",
    [[], [status("RUNNING")], [state("b")], [status("INCOMPLETE")]],
    ids=["cut", "running", "state", "failed"],
)
def test_a_full_refresh_that_is_not_complete_leaves_the_table_as_it_was(
    warehouse: Warehouse, ending: list[dict[str, Any]]
) -> None:
    warehouse.load([record(id=1, name="Acme"), status("COMPLETE")], catalog("overwrite"))
    summary = warehouse.load([status("STARTED"), record(id=2, name="Bolt"), *ending], catalog("overwrite"))
    assert warehouse.rows("clients") == [{"id": 1, "name": "Acme", "_extra": None}]
    assert summary.streams["clients"].changes == Changes(new=0, changed=0, unchanged=1, removed=0)


def test_a_full_refresh_keeps_no_state(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme"), state("a"), status("COMPLETE")], catalog("overwrite"))
    assert warehouse.state() == []


def test_a_full_refresh_that_breaks_off_leaves_the_table_as_it_was(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme"), status("COMPLETE")], catalog("overwrite"))
    with pytest.raises(ConnectionResetError):
        warehouse.load(breaks_off(record(id=2, name="Bolt")), catalog("overwrite"))
    assert warehouse.rows("clients") == [{"id": 1, "name": "Acme", "_extra": None}]


def test_a_full_refresh_that_cannot_be_written_leaves_the_table_as_it_was(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme"), status("COMPLETE")], catalog("overwrite"))
    with pytest.raises(Exception, match="9223372036854775808"):
        warehouse.load([record(id=2**63, name="Bolt"), status("COMPLETE")], catalog("overwrite"))
    assert warehouse.rows("clients") == [{"id": 1, "name": "Acme", "_extra": None}]


def test_an_incremental_overwrite_is_refused(warehouse: Warehouse) -> None:
    configured = catalog("overwrite")
    configured["streams"][0]["sync_mode"] = "incremental"
    with pytest.raises(MisfitError, match="overwrite needs all"):
        warehouse.load([], configured)


def test_the_state_is_given_back_as_read_takes_it(warehouse: Warehouse) -> None:
    two = {"streams": catalog()["streams"] + catalog(name="tasks")["streams"]}
    warehouse.load([state("a", "tasks"), state("a"), state("b")], two)
    assert warehouse.state() == [state("b")["state"], state("a", "tasks")["state"]]


def test_a_load_keeps_the_state_of_the_streams_that_it_does_not_read(warehouse: Warehouse) -> None:
    warehouse.load([state("a")], catalog())
    warehouse.load([state("b", "tasks")], catalog(name="tasks"))
    assert warehouse.state() == [state("a")["state"], state("b", "tasks")["state"]]


def test_rows_and_state_outlive_the_process(path: Path) -> None:
    with Warehouse(path) as first:
        first.load([record(id=1, name="Acme"), state("a")], catalog())
    with Warehouse(path) as second:
        second.load([record(id=2, name="Bolt"), state("b")], catalog())
    with Warehouse(path) as third:
        assert third.rows("clients") == [
            {"id": 1, "name": "Acme", "_extra": None},
            {"id": 2, "name": "Bolt", "_extra": None},
        ]
        assert third.state() == [state("b")["state"]]


@pytest.mark.parametrize("died_after", range(6))
def test_no_state_is_ever_ahead_of_its_rows(path: Path, died_after: int) -> None:
    messages = [
        record(id=1, name="Acme"),
        state("a"),
        record(id=2, name="Bolt"),
        record(id=3, name="Crest"),
        state("b"),
    ]
    with Warehouse(path) as dying, pytest.raises(ConnectionResetError):
        dying.load(breaks_off(*messages[:died_after]), catalog())
    with Warehouse(path) as reopened:
        found = [row["id"] for row in reopened.rows("clients")], reopened.state()
    nothing, one, all_three = ([], []), ([1], [state("a")["state"]]), ([1, 2, 3], [state("b")["state"]])
    assert found == [nothing, nothing, one, one, one, all_three][died_after]


def test_a_state_vouches_only_for_its_own_stream(path: Path) -> None:
    two = {"streams": catalog()["streams"] + catalog(name="tasks")["streams"]}
    messages = [record(id=1, name="Acme"), record("tasks", id=7, name="Design"), state("a", "tasks")]
    with Warehouse(path) as dying, pytest.raises(ConnectionResetError):
        dying.load(breaks_off(*messages), two)
    with Warehouse(path) as reopened:
        assert reopened.rows("clients") == []
        assert reopened.rows("tasks") == [{"id": 7, "name": "Design", "_extra": None}]
        assert reopened.state() == [state("a", "tasks")["state"]]


def test_a_batch_that_cannot_be_written_leaves_neither_rows_nor_state(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme"), state("a")], catalog())
    with pytest.raises(Exception, match="9223372036854775808"):
        warehouse.load([record(id=2, name="Bolt"), record(id=2**63, name="Crest"), state("b")], catalog())
    assert warehouse.rows("clients") == [{"id": 1, "name": "Acme", "_extra": None}]
    assert warehouse.state() == [state("a")["state"]]


def test_a_load_can_follow_one_that_broke_off(warehouse: Warehouse) -> None:
    with pytest.raises(ConnectionResetError):
        warehouse.load(breaks_off(record(id=1, name="Acme"), state("a"), record(id=2, name="Bolt")), catalog())
    summary = warehouse.load([record(id=2, name="Bolt"), state("b")], catalog())
    assert summary.streams["clients"] == StreamSummary(read=1, changes=Changes(1, 0, 1, 0), status=None)


def test_rows_after_the_last_state_are_loaded_at_the_end(warehouse: Warehouse) -> None:
    warehouse.load([state("a"), record(id=1, name="Acme"), status("INCOMPLETE")], catalog())
    assert warehouse.rows("clients") == [{"id": 1, "name": "Acme", "_extra": None}]
    assert warehouse.state() == [state("a")["state"]]


def test_values_come_out_as_the_json_text_gave_them(warehouse: Warehouse) -> None:
    types = {
        "id": {"type": "integer"},
        "hours": {"type": ["null", "number"]},
        "is_active": {"type": ["null", "boolean"]},
        "notes": {"type": ["null", "string"]},
        "spent_date": {"type": ["null", "string"], "format": "date"},
        "updated_at": {
            "type": ["null", "string"],
            "format": "date-time",
            "airbyte_type": "timestamp_with_timezone",
        },
        "started_time": {"type": ["null", "string"], "format": "time"},
        "client": {"type": ["null", "object"], "properties": {"id": {"type": "integer"}}},
        "roles": {"type": ["null", "array"]},
        "mixed": {"type": ["string", "integer"]},
    }
    line = (
        r'{"type":"RECORD","record":{"stream":"entries","emitted_at":0,"data":{"id":9007199254740993,"hours":0.1,'
        r'"is_active":false,"notes":"Zoë \"said\" \\n\n\t日本 \ud83d\udcb0 \u0000 it'
        r"'s"
        r'","spent_date":"2024-02-29","updated_at":"2024-02-29T23:30:00-01:00","started_time":"15:05",'
        r'"client":{"id":9007199254740993,"rate":10.05,"name":"\u00c9"},"roles":["a",null,{}],"mixed":"7"}}}'
    )
    configured = catalog(name="entries", properties=types)
    warehouse.load([line, record("entries", id=-9223372036854775808, hours=7)], configured)
    smallest = dict.fromkeys(types) | {"id": -9223372036854775808, "hours": 7.0, "_extra": None}
    assert warehouse.rows("entries") == [
        smallest,
        {
            "id": 9007199254740993,
            "hours": 0.1,
            "is_active": False,
            "notes": 'Zoë "said" \\n\n\t日本 💰 \x00 it\'s',
            "spent_date": date(2024, 2, 29),
            "updated_at": datetime(2024, 3, 1, 0, 30, tzinfo=timezone.utc),
            "started_time": time(15, 5),
            "client": {"id": 9007199254740993, "rate": 10.05, "name": "É"},
            "roles": ["a", None, {}],
            "mixed": "7",
            "_extra": None,
        },
    ]
    assert {row["column_name"]: row["column_type"] for row in warehouse.query("DESCRIBE entries")} == {
        "id": "BIGINT",
        "hours": "DOUBLE",
        "is_active": "BOOLEAN",
        "notes": "VARCHAR",
        "spent_date": "DATE",
        "updated_at": "TIMESTAMP WITH TIME ZONE",
        "started_time": "TIME",
        "client": "JSON",
        "roles": "JSON",
        "mixed": "JSON",
        "_extra": "JSON",
    }


def test_timestamps_are_read_and_shown_in_utc(warehouse: Warehouse) -> None:
    moments = {"id": {"type": "integer"}, "moment": {"type": "string", "format": "date-time"}}
    offset, none = record(id=1, moment="2024-02-29T23:30:00-01:00"), record(id=2, moment="2024-02-29T23:30:00")
    warehouse.load([offset, none], catalog(properties=moments))
    assert warehouse.query("SELECT moment::DATE AS day, moment::VARCHAR AS text FROM clients ORDER BY id") == [
        {"day": date(2024, 3, 1), "text": "2024-03-01 00:30:00+00"},
        {"day": date(2024, 2, 29), "text": "2024-02-29 23:30:00+00"},
    ]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ({"type": "integer"}, 1.5),
        ({"type": "integer"}, "7"),
        ({"type": "integer"}, True),
        ({"type": "number"}, "7.5"),
        ({"type": "boolean"}, 1),
        ({"type": "string"}, 7),
        ({"type": "string", "format": "date"}, "2024-02-29T10:00:00Z"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused_by_name(
    warehouse: Warehouse, declared: dict[str, Any], value: Any
) -> None:
    configured = catalog(properties=CLIENTS | {"rate": declared})
    with pytest.raises(MisfitError, match=r"clients\.rate: .* is no "):
        warehouse.load([record(id=1, rate=value)], configured)


@pytest.mark.parametrize("data", [{"name": "Acme"}, {"id": None, "name": "Acme"}])
def test_a_record_without_its_key_is_refused(warehouse: Warehouse, data: dict[str, Any]) -> None:
    with pytest.raises(MisfitError, match="clients: a record without its primary key"):
        warehouse.load([record(**data)], catalog())


def test_a_key_that_the_schema_does_not_name_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(MisfitError, match="clients: the schema lacks a part of the primary key"):
        warehouse.load([], catalog(key=("id", "role_id")))


@pytest.mark.parametrize("data", [{"id": 1, "name": None}, {"id": 1}])
def test_a_null_takes_the_place_of_an_old_value(warehouse: Warehouse, data: dict[str, Any]) -> None:
    warehouse.load([record(id=1, name="Acme")], catalog())
    summary = warehouse.load([record(**data)], catalog())
    assert warehouse.rows("clients") == [{"id": 1, "name": None, "_extra": None}]
    assert summary.streams["clients"].changes == Changes(new=0, changed=1, unchanged=0, removed=0)


def test_fields_that_the_schema_does_not_name_are_kept(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme", saml=None, plan={"seats": 2**60})], catalog())
    assert warehouse.rows("clients") == [{"id": 1, "name": "Acme", "_extra": {"saml": None, "plan": {"seats": 2**60}}}]


def test_a_later_schema_adds_columns_and_keeps_the_old_ones(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="Acme"), record(id=2, name="Bolt")], catalog())
    later = {"id": {"type": "integer"}, "size": {"type": ["null", "number"]}}
    summary = warehouse.load([record(id=2, size=7.5)], catalog(properties=later))
    assert warehouse.rows("clients") == [
        {"id": 1, "name": "Acme", "_extra": None, "size": None},
        {"id": 2, "name": "Bolt", "_extra": None, "size": 7.5},
    ]
    assert summary.streams["clients"].changes == Changes(new=0, changed=1, unchanged=1, removed=0)


def test_a_later_schema_changes_a_columns_type_and_keeps_the_values(warehouse: Warehouse) -> None:
    warehouse.load([record(id=1, name="7"), record(id=2, name=None)], catalog())
    warehouse.load([record(id=2, name=2.5)], catalog(properties=CLIENTS | {"name": {"type": ["null", "number"]}}))
    assert warehouse.rows("clients") == [
        {"id": 1, "name": 7.0, "_extra": None},
        {"id": 2, "name": 2.5, "_extra": None},
    ]


def test_the_summary_compares_the_table_with_what_it_was_before_the_load(warehouse: Warehouse) -> None:
    first = warehouse.load([record(id=n, name="x") for n in range(4)], catalog())
    once = [record(id=1, name="x"), record(id=2, name="y"), record(id=3, name="y"), record(id=4, name="x")]
    again = [record(id=3, name="x"), record(id=4, name="z")]
    second = warehouse.load([*once, state("a"), *again, state("b"), status("COMPLETE")], catalog())
    assert first.streams == {"clients": StreamSummary(4, Changes(4, 0, 0, 0), None)}
    expected = Changes(new=1, changed=1, unchanged=3, removed=0)
    assert second.streams == {"clients": StreamSummary(read=6, changes=expected, status="COMPLETE")}


def test_the_summary_of_a_full_refresh_tells_what_came_changed_and_went(warehouse: Warehouse) -> None:
    refresh = catalog("overwrite")
    warehouse.load([*(record(id=n, name="x") for n in (1, 2, 3)), status("COMPLETE")], refresh)
    ending = [record(id=2, name="x"), record(id=3, name="y"), record(id=4, name="x"), status("COMPLETE")]
    summary = warehouse.load(ending, refresh)
    assert summary.streams["clients"].changes == Changes(new=1, changed=1, unchanged=1, removed=1)


def test_the_summary_of_rows_without_a_key_knows_no_changed_ones(warehouse: Warehouse) -> None:
    refresh = catalog("overwrite", key=())
    warehouse.load([record(id=1, name="x"), record(id=1, name="x"), status("COMPLETE")], refresh)
    summary = warehouse.load([record(id=1, name="x"), record(id=1, name="y"), status("COMPLETE")], refresh)
    assert summary.streams["clients"].changes == Changes(new=1, changed=0, unchanged=1, removed=1)


def test_errors_and_every_message_are_handed_on_in_order(warehouse: Warehouse) -> None:
    error = {"message": "Harvest answered 403.", "failure_type": "config_error"}
    messages: list[dict[str, Any]] = [
        {"type": "LOG", "log": {"level": "INFO", "message": "hello"}},
        record(id=1, name="Acme"),
        {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": 0, "error": error}},
        {"type": "TRACE", "trace": {"type": "ESTIMATE", "emitted_at": 0, "estimate": {"name": "clients"}}},
        status("INCOMPLETE"),
    ]
    seen: list[Any] = []
    summary = warehouse.load([json.dumps(message) for message in messages], catalog(), on_message=seen.append)
    assert seen == messages
    assert summary.errors == [error]
    assert summary.streams["clients"].status == "INCOMPLETE"


def test_names_of_streams_and_columns_may_need_quotes(warehouse: Warehouse) -> None:
    odd = {"order": {"type": "integer"}, 'a "quoted" it\'s': {"type": "string"}}
    configured = catalog(name="group", properties=odd, key=("order",))
    for _ in range(2):
        warehouse.load([record("group", **{"order": 1, 'a "quoted" it\'s': "x"}), state("a", "group")], configured)
    assert warehouse.rows("group") == [{"order": 1, 'a "quoted" it\'s': "x", "_extra": None}]
