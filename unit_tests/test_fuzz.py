"""Answers, configs, states and catalogs that are not as they should be: taken as they are, or one clear sentence."""

import faulthandler
import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, FailureType
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emulator import Harvest
from source_harvest import SourceHarvest
from source_harvest.bookmark import bookmark_of
from source_harvest.children import BelowEachParent
from source_harvest.config import Settings
from source_harvest.entrypoint import Entrypoint
from source_harvest.errors import HarvestError
from source_harvest.stream import HarvestStream
from source_harvest.streams import STREAMS
from source_harvest.streams.clients import Clients
from source_harvest.transport import Transport
from unit_tests.syncing import LOGGER, STREAM_NAMES, Sync, catalog, stream_name, sync
from unit_tests.tables import KEYS, Row
from unit_tests.test_check import check
from unit_tests.test_config import OAUTH, SECRET, TOKEN
from unit_tests.test_config import settings as settings_of
from unit_tests.test_faults import catalog_of, held

# Tries for each list and for each other answer.
TRIES = 25

STREAM_OF = dict(zip(STREAM_NAMES, STREAMS, strict=True))
FOLDER = TemporaryDirectory()
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)

BLANK = "a blank to fill in"
MISSING, UNKNOWN = "missing", "unknown"

# As text, because some of it is no JSON, and some is what no JSON library would write.
ODD = [
    *(MISSING, MISSING, UNKNOWN),
    *("null", "true", "false", "0", "-1", "0.5", "-0.0", "1e308", "1e400", "-1e400", "NaN", "Infinity", "1e-400"),
    *(str(2**63 - 1), str(2**63), str(2**64 - 1), str(2**64), str(2**70), str(-(2**70)), "9" * 400),
    *('""', '" "', '"x"', '"0"', '"null"', '"2024-02-30"', '"0000-00-00"', '"9999-12-31T23:59:59Z"', '"25:61pm"'),
    *('"9999-12-31T23:59:59-23:00"', '"1970-01-01T00:00:00+14:00"', '"2024-01-31T10:00:00"', '"2024-01-31"'),
    *(
        r'"a\nb\r\"\\"',
        r'"\u0000"',
        r'"\ud800"',
        r'"\udc00\ud800"',
        r'"\u202eabc"',
        r'"\ufeff"',
        '"😀"',
        r'"\u0663:\u0660\u0660"',
    ),
    *('"https://[::1"', '"http://127.0.0.1:9/v2/clients"', f'"{"a" * 5000}"'),
    *("[]", "{}", "[null]", "[[]]", "[1, 1]", '["x"]', "[{}]", '{"id": null}', '{"id": {}}', '{"id": "x"}'),
    *('[{"id": 5}]', '[{"id": null}]', '{"id": 5, "id": 6}', '{"": {"": []}}'),
]
DEEP = "[" * 1200 + "]" * 1200


Step = str | int
Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Answer:
    """Where Harvest gives an answer, and the streams that it feeds."""

    path: str
    key: str
    streams: tuple[str, ...]
    parent: str = ""


def fed_by(source: type[HarvestStream]) -> tuple[str, ...]:
    streams = (stream for stream in STREAMS if source in stream.lists() and not issubclass(stream, BelowEachParent))
    return tuple(map(stream_name, streams))


def answers() -> Iterator[tuple[str, Answer]]:
    for name, stream in STREAM_OF.items():
        if issubclass(stream, BelowEachParent):
            yield name, Answer(f"/{stream.below_parent}$", name, (name,), stream_name(stream.parent))
        elif stream.lists() == (stream,) and stream.list_key is not None:
            key = stream.resource or name
            yield name, Answer(f"/v2/{key}$", key, fed_by(stream))
            children = tuple(n for n, s in STREAM_OF.items() if issubclass(s, BelowEachParent) and s.parent is stream)
            if children:
                yield f"{name} as parents", Answer(f"/v2/{key}$", key, children)


ANSWERS = dict(answers())

# What broke the connector once: where in an answer, and what stood there.
FOUND: dict[str, list[tuple[Steps, str]]] = {
    "tasks": [(("tasks", 0, "id"), "true"), (("tasks", 0, "id"), '"5"'), (("tasks", 1, "id"), str(2**70))],
    "invoices as parents": [(("invoices", 0, "updated_at"), "null"), (("invoices", 0, "id"), '"x"')],
    "roles": [(("roles", 0, "user_ids"), "[null]"), (("roles", 0, "user_ids"), '["x"]')],
    "estimates": [(("estimates", 0, "line_items", 0, "id"), "null"), (("estimates", 0, "line_items"), '"x"')],
    "time_entries": [(("time_entries", 0, "external_reference"), "5")],
}


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """The way to everything inside a JSON value."""
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inside:
        yield (*steps, step)
        yield from places(item, (*steps, step))


def broken(value: Any, steps: Steps, odd: str) -> str:
    """The JSON of a value in which one thing is another, is missing, or has something unknown beside it."""
    copy = json.loads(json.dumps(value))
    *way, last = steps
    inner = copy
    for step in way:
        inner = inner[step]
    if odd == MISSING:
        del inner[last]
    elif odd == UNKNOWN and isinstance(inner, dict):
        inner["unknown"] = {"name": "new"}
    else:
        inner[last] = BLANK
    return json.dumps(copy).replace(f'"{BLANK}"', odd)


def whole(key: str, rows: list[Row]) -> str:
    """A list that has one page."""
    total = {"per_page": 2000, "total_pages": 1, "total_entries": len(rows), "next_page": None, "page": 1}
    return json.dumps({key: rows, **total, "links": {"first": "x", "next": None, "previous": None, "last": "x"}})


def breaks(value: Any) -> st.SearchStrategy[str]:
    """The JSON of a value in which one thing, or all of it, is odd or missing."""
    made = st.builds(broken, st.just(value), st.sampled_from(sorted(places(value), key=str)), st.sampled_from(ODD))
    return made | st.sampled_from(ODD)


def fuzzing(tries: int) -> Any:
    return settings(max_examples=tries, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    """What hangs is shown and ended. And no odd secret stays behind for other tests' messages."""
    faulthandler.dump_traceback_later(120, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    update_secrets([])


def assert_clear(message: str) -> None:
    assert message
    assert "\n" not in message
    assert "Traceback" not in message
    assert len(message) <= 600, message


def assert_written(result: Sync) -> None:
    """Every message is one line of JSON that any reader of JSON takes, and every record has its columns."""
    for message in result.messages:
        line = AirbyteEntrypoint.airbyte_message_to_string(message)
        assert "\n" not in line
        orjson.loads(line.encode())
        if message.record:
            assert_complete_row(message.record.stream, message.record.data)


def assert_complete_row(name: str, row: Mapping[str, Any]) -> None:
    stream = STREAM_OF[name]
    flattened = {f"{nested}_{column}" for nested, columns in stream.flattened.items() for column in columns}
    assert set(row) >= {*stream.foreign_keys, *flattened, *stream.clock_times, *stream.access_role_flags}
    for key in KEYS.get(name, ("id",)):
        assert type(row[key]) is int or key in stream.text_keys, (name, key, row[key])
        assert row[key] is not None


@pytest.mark.parametrize("name", ANSWERS)
def test_an_odd_answer_passes_or_its_streams_say_so_and_no_other_is_touched(
    name: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    answer = ANSWERS[name]
    other = "clients" if name == "tasks" else "tasks"
    others_rows = {(row["id"],): row for row in harvest.listed(other)}
    rows = harvest.listed(answer.key) if not answer.parent else []
    parents = harvest.listed(answer.parent) if answer.parent else []
    if answer.parent:
        parents = [max(parents, key=lambda row: len(harvest.children(name, row["id"])))]
        rows = harvest.children(name, parents[0]["id"])
        harvest.faults.add(f"/v2/{answer.parent}$", status=200, body=whole(answer.parent, parents), times=None)
    rows.sort(key=lambda row: -len(list(places(row))))
    asked = catalog_of(*answer.streams, other)
    sent = json.loads(whole(answer.key, rows[:2]))
    before = sync(config, [], asked=asked)

    @fuzzing(TRIES)
    @given(breaks(sent) | st.just(DEEP), st.booleans())
    def fuzz(body: str, is_first_read: bool) -> None:
        fault = harvest.faults.add(answer.path, status=200, body=body.encode(), times=None)
        result = sync(config, [], None if is_first_read else before.state, asked=asked)
        fault.times = 0
        assert_written(result)
        assert set(result.errors) <= set(answer.streams)
        assert set(result.statuses) == {*answer.streams, other}
        assert set(result.states) == {*answer.streams, other} - set(result.errors)
        for stream, (kind, message) in result.errors.items():
            assert_clear(message)
            assert kind in {"system_error", "transient_error"}
            assert message.startswith("Harvest's ")
            assert any(
                each in message for each in (f"for {answer.key} ", f"Harvest's {answer.key} ", *answer.streams)
            ), (stream, message)
        assert held(other, result) == others_rows or not is_first_read
        assert other not in result.errors
        if is_first_read and name in result.counts and name not in result.errors:
            assert_as_sent(result.records(name), json_rows(body, answer.key), STREAM_OF[name].clock_times)

    for steps, odd in FOUND.get(name, []):
        fuzz = example(broken(sent, steps, odd), True)(example(broken(sent, steps, odd), False)(fuzz))
    fuzz()


def json_rows(body: str, key: str) -> dict[int, Row]:
    """As they are to come: a half of a surrogate pair, which no UTF-8 can hold, is replaced."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(json.loads(body), ensure_ascii=False))
    return {row["id"]: row for row in orjson.loads(text)[key]}


def assert_as_sent(records: list[Row], rows: dict[int, Row], rewritten: tuple[str, ...]) -> None:
    """Whatever a row holds, its record holds it too."""
    assert {record["id"] for record in records} == set(rows)
    for record in records:
        sent = rows[record["id"]]
        assert {key: record[key] for key in sent if key not in rewritten} == {
            key: value for key, value in sent.items() if key not in rewritten
        }


IDENTITY: dict[str, Any] = {
    "/accounts$": {"accounts": [{"id": 1_486_203, "name": "Northlight Studio", "product": "harvest"}]},
    "/users/me$": {"id": 1, "first_name": "A", "access_roles": ["administrator"]},
    "/company$": {"base_uri": "https://northlight.harvestapp.com", "name": "Northlight Studio"},
    "/oauth2/token$": {"access_token": "1.at.x", "refresh_token": "1.rt.x", "expires_in": 3600, "token_type": "bearer"},
}


@pytest.mark.parametrize("path", IDENTITY)
def test_an_odd_answer_to_who_asks_is_taken_or_is_one_sentence(
    path: str, harvest: Harvest, config: dict[str, Any], oauth_config: dict[str, Any], naps: list[float]
) -> None:
    asked = catalog_of("tasks", "company")

    @fuzzing(TRIES)
    @given(breaks(IDENTITY[path]))
    def fuzz(body: str) -> None:
        chosen = oauth_config if path == "/oauth2/token$" else {**config, "account_id": harvest.subdomain}
        fault = harvest.faults.add(path, status=200, body=body.encode(), times=None)
        connected, message = check(deepcopy(chosen))
        assert_clear(message or "connected")
        assert connected or message.startswith(("Harvest", "The config field"))
        result = sync(deepcopy(chosen), [], asked=asked)
        fault.times = 0
        assert_written(result)
        for said in [
            *(message for _, message in result.errors.values()),
            *([result.error.message] if result.error else []),
        ]:
            assert_clear(str(said))

    fuzz()


@pytest.mark.parametrize("header", ["Date", "Content-Type", "Retry-After", "Content-Encoding"])
def test_an_odd_header_passes_or_its_stream_says_so(
    header: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    values = [
        "",
        "x",
        "-1",
        "1e400",
        "nan",
        "9" * 400,
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "Mon, 01 Jan 0001 00:00:00 +2300",
    ]
    harvest.date_header = False
    for value in values:
        status = 429 if header == "Retry-After" else 200
        harvest.faults.add(
            "/clients$", status=status, headers={header: value}, body=whole("clients", harvest.listed("clients"))
        )
        result = sync(config, [], asked=catalog_of("clients", "tasks"))
        harvest.faults.clear()
        assert result.statuses["tasks"] == "COMPLETE"
        for kind, message in result.errors.values():
            assert kind in {"system_error", "transient_error"}
            assert_clear(message)
        assert_written(result)


CONFIGS: list[dict[str, Any]] = [
    {
        "credentials": credentials,
        "account_id": "1486203",
        "replication_start_date": "2024-01-01",
        "num_workers": 4,
        "rate_limit_percent": 50,
        "child_full_read_days": 7,
        "api_url": "",
        "identity_url": "",
    }
    for credentials in (TOKEN, {**OAUTH, "access_token": "1.at.x", "token_expiry_date": "2026-01-01T00:00:00Z"})
]


@fuzzing(400)
@given(st.sampled_from(CONFIGS).flatmap(breaks) | JSON_VALUES)
def test_a_config_is_taken_or_a_field_of_it_is_named(text: str) -> None:
    entrypoint = Entrypoint(SourceHarvest())
    try:
        config = SourceHarvest.read_config(written(text))
        config = dict(entrypoint.source.configure(config, ""))
    except HarvestError as error:
        assert_config_error(error)
        return
    spec = entrypoint.source.spec(LOGGER)
    Entrypoint.set_up_secret_filter(config, spec.connectionSpecification)
    try:
        Settings.of(config, spec.connectionSpecification)
        assert SourceHarvest().discover(LOGGER, config).streams
    except HarvestError as error:
        assert_config_error(error, 'The config field "')


def test_a_config_that_is_taken_is_asked_with(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    """Whatever stands in it, `check` answers with one sentence."""

    @fuzzing(150)
    @given(st.sampled_from(CONFIGS).flatmap(breaks))
    def fuzz(text: str) -> None:
        try:
            odd = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(odd, dict):
            return
        odd = {**odd, "api_url": config["api_url"], "identity_url": config["identity_url"]}
        message = ""
        for answer in Entrypoint(SourceHarvest()).check(SourceHarvest().spec(LOGGER), odd):
            if answer.connectionStatus:
                message = answer.connectionStatus.message or "connected"
            AirbyteEntrypoint.airbyte_message_to_string(answer)
        assert_clear(message)
        assert SECRET not in message

    fuzz()


def assert_config_error(error: HarvestError, beginning: str = "The ") -> None:
    assert str(error).startswith(beginning)
    assert_clear(str(error))
    assert error.failure_type is FailureType.config_error
    assert SECRET not in str(error)


MOMENT = "2026-01-31T10:00:00Z"
STATES: list[dict[str, Any]] = [
    {"updated_at": MOMENT},
    {"updated_at": MOMENT, "all_parents_read": MOMENT, "living_parents_read": MOMENT},
    {"unfinished": {"began": MOMENT, "spans": [["2024-01-01", None], [None, "2023-12-31"]], "up_to_parent": 7}},
]
STATE_FILES = [
    [{"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": state}}]
    for name in ("time_entries", "invoice_messages")
    for state in STATES
]


def test_a_state_is_taken_or_its_stream_is_named(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    asked = catalog_of("time_entries", "invoice_messages", "tasks")

    @fuzzing(150)
    @given(st.sampled_from(STATE_FILES).flatmap(breaks))
    def fuzz(text: str) -> None:
        try:
            state = SourceHarvest.read_state(written(text))
        except HarvestError as error:
            assert_config_error(error)
            return
        result = sync(config, [], state, asked=asked)
        assert_written(result)
        assert result.error is None or result.error.failure_type is FailureType.config_error
        for kind, message in result.errors.values():
            assert_clear(message)
            assert kind == "config_error"
        if result.error:
            assert_clear(str(result.error.message))

    fuzz()


@fuzzing(400)
@given(st.sampled_from(STATES).flatmap(breaks) | JSON_VALUES)
def test_a_bookmark_is_read_or_its_stream_is_named(text: str) -> None:
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(state, dict):
        return
    stream = Clients(Transport(settings_of({"credentials": TOKEN}), {"credentials": TOKEN}))
    try:
        bookmark = bookmark_of(stream, state)
    except HarvestError as error:
        assert_config_error(error, 'The state of the stream "clients" cannot be read')
    else:
        assert bookmark_of(stream, bookmark.state("updated_at")) == bookmark
        assert isinstance(bookmark.since(timedelta(minutes=5)), str | None)
        assert isinstance(bookmark.children_since(timedelta(minutes=5)), str | None)


def test_a_catalog_is_taken_or_one_sentence(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    whole_catalog = json.loads(orjson.dumps(ConfiguredAirbyteCatalogSerializer.dump(catalog(["clients", "roles"]))))
    for stream in whole_catalog["streams"]:
        stream["stream"]["json_schema"] = {}

    @fuzzing(200)
    @given(breaks(whole_catalog))
    def fuzz(text: str) -> None:
        try:
            asked = SourceHarvest.read_catalog(written(text))
        except HarvestError as error:
            assert_config_error(error)
            return
        result = sync(config, [], asked=asked)
        assert_written(result)
        for kind, message in result.errors.values():
            assert_clear(message)
            assert kind == "config_error"

    fuzz()


def written(text: str) -> str:
    path = Path(FOLDER.name) / "input.json"
    path.write_bytes(text.encode())
    return str(path)
