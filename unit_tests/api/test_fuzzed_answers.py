"""Answers that nobody expects: taken as they are, or one clear sentence."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emulator import Harvest
from emulator.account.paid_time_off import assignments
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.either_envelope import EitherEnvelope
from source_harvest.stream_types.per_parent import PerParentStream
from source_harvest.streams import STREAMS
from testing.comparisons import held
from testing.expected_reports import Row
from testing.expected_tables import copied
from testing.fuzzing import DEEP, STREAM_OF, Steps, assert_clear, assert_written, breaks, broken, fuzzing, places
from testing.in_process import catalog_of, check, sync
from testing.streams import stream_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("watched")]

# Tries for each list and for each other answer.
TRIES = 25


@dataclass(frozen=True)
class Answer:
    """Where Harvest gives an answer, and the streams that it feeds."""

    path: str
    key: str
    streams: tuple[str, ...]
    parent: str = ""


def fed_by(source: type[HarvestStream]) -> tuple[str, ...]:
    streams = (
        stream for stream in STREAMS if source in stream.source_lists() and not issubclass(stream, PerParentStream)
    )
    return tuple(map(stream_name, streams))


def answers() -> Iterator[tuple[str, Answer]]:
    for name, stream in STREAM_OF.items():
        if issubclass(stream, PerParentStream):
            yield name, Answer(f"/{stream.below_parent}$", name, (name,), stream_name(stream.parent))
        elif stream.source_lists() == (stream,) and stream.list_key is not None:
            path = stream.resource or name
            key = name if issubclass(stream, EitherEnvelope) else path
            yield name, Answer(f"/v2/{path}$", key, fed_by(stream))
            children = tuple(n for n, s in STREAM_OF.items() if issubclass(s, PerParentStream) and s.parent is stream)
            if children:
                yield f"{name} as parents", Answer(f"/v2/{path}$", key, children)


ANSWERS = dict(answers())

# What broke the connector once: where in an answer, and what stood there.
FOUND: dict[str, list[tuple[Steps, str]]] = {
    "tasks": [(("tasks", 0, "id"), "true"), (("tasks", 0, "id"), '"5"'), (("tasks", 1, "id"), str(2**70))],
    "invoices as parents": [(("invoices", 0, "updated_at"), "null"), (("invoices", 0, "id"), '"x"')],
    "roles": [(("roles", 0, "user_ids"), "[null]"), (("roles", 0, "user_ids"), '["x"]')],
    "estimates": [(("estimates", 0, "line_items", 0, "id"), "null"), (("estimates", 0, "line_items"), '"x"')],
    "time_entries": [(("time_entries", 0, "external_reference"), "5")],
}


def whole(key: str, rows: list[Row]) -> str:
    """A list that has one page."""
    total = {"per_page": 2000, "total_pages": 1, "total_entries": len(rows), "next_page": None, "page": 1}
    return json.dumps({key: rows, **total, "links": {"first": "x", "next": None, "previous": None, "last": "x"}})


@pytest.mark.parametrize("name", ANSWERS)
def test_an_odd_answer_passes_or_its_streams_say_so_and_no_other_is_touched(
    name: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    answer = ANSWERS[name]
    other = "clients" if name == "tasks" else "tasks"
    others_rows = {(row["id"],): row for row in harvest.listed(other)}
    rows = listed(harvest, answer.key) if not answer.parent else []
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
            asked_for = answer.path.removeprefix("/v2/").rstrip("$") if not answer.parent else answer.key
            said = (f"for {asked_for} ", f"Harvest's {asked_for} ", f"list of {asked_for} ", *answer.streams)
            assert any(each in message for each in said), (stream, message)
        assert held(other, result) == others_rows or not is_first_read
        assert other not in result.errors
        if is_first_read and name in result.counts and name not in result.errors:
            assert_as_sent(result.records(name), json_rows(body, answer.key), STREAM_OF[name].clock_times)

    for steps, odd in FOUND.get(name, []):
        fuzz = example(broken(sent, steps, odd), True)(example(broken(sent, steps, odd), False)(fuzz))
    fuzz()


def listed(harvest: Harvest, key: str) -> list[Row]:
    """The rows of a list as Harvest sends them."""
    return copied(assignments(harvest.state)) if key == "pto_assignments" else harvest.listed(key)


def id_of(row: Row) -> int:
    """What tells the rows of a list apart: the id, or that of the user."""
    found: int = row["id"] if "id" in row else row["user"]["id"]
    return found


def json_rows(body: str, key: str) -> dict[int, Row]:
    """As they are to come: a half of a surrogate pair, which no UTF-8 can hold, is replaced."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(json.loads(body), ensure_ascii=False))
    return {id_of(row): row for row in orjson.loads(text)[key]}


def assert_as_sent(records: list[Row], rows: dict[int, Row], rewritten: tuple[str, ...]) -> None:
    """Whatever a row holds, its record holds it too."""
    assert {id_of(record) for record in records} == set(rows)
    for record in records:
        sent = rows[id_of(record)]
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
