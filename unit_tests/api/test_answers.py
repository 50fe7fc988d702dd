"""Answers that are odd: asked for again where they are not as documented, and read where ordinary parsers read them."""

import json
import re
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.errors import HarvestError
from source_harvest.source import SourceHarvest
from testing.in_process import Record, check, sync
from testing.raw_server import RawServer

UNDOCUMENTED: list[Any] = [
    {},
    None,
    [],
    "clients",
    5,
    {"clients": None, "links": {"next": None}},
    {"clients": {}, "links": {"next": None}},
    {"clients": []},
    {"clients": [], "links": None},
    {"clients": [], "links": {"next": False}},
    {"clients": [], "links": {"next": "https://elsewhere.example/v2/clients?page=2"}},
    {"clients": [{"name": "without an id"}], "links": {"next": None}},
    {"clients": [None], "links": {"next": None}},
    {"clients": [{"id": True}], "links": {"next": None}},
]


@pytest.mark.parametrize("body", UNDOCUMENTED, ids=json.dumps)
@pytest.mark.parametrize("page", [1, 2])
def test_a_page_that_is_not_as_documented_once_is_asked_for_again(
    page: int, body: Any, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.page_size_cap = 2
    harvest.faults.add(path="/clients$", page=page, status=200, body=json.dumps(body), times=2)
    result = sync(config, ["clients"])
    assert result.statuses == {"clients": "COMPLETE"}
    assert sorted(row["id"] for row in result.records("clients")) == sorted(r["id"] for r in harvest.listed("clients"))
    assert naps == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body", "changed"),
    [
        ("/users/me$", "{}", {}),
        ("/users/me$", "[]", {}),
        ("/users/me$", '{"id": 1, "access_roles": 5}', {}),
        ("/users/me$", '{"id": 1, "access_roles": [null]}', {}),
        ("/accounts$", "{}", {"account_id": ""}),
        ("/accounts$", '{"accounts": [{"id": 1}]}', {"account_id": ""}),
        ("/accounts$", '{"accounts": [{"id": "one", "product": "harvest"}]}', {"account_id": ""}),
        ("/company$", "null", {"account_id": "northlight"}),
        ("/clients$", "{}", {}),
        ("/clients$", '{"clients": [{}], "links": {"next": null}}', {}),
    ],
)
def test_a_check_asks_again_for_what_is_not_as_documented(
    path: str, body: str, changed: dict[str, Any], harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    if changed.get("account_id"):
        changed = {"account_id": harvest.subdomain}
    harvest.faults.add(path=path, status=200, body=body, times=2)
    assert check({**config, **changed}) == (True, "")
    assert naps == [1, 2]


@pytest.mark.parametrize("stream", ["company", "roles", "deleted_records", "time_clients", "project_budget"])
def test_each_kind_of_answer_is_asked_for_again(
    stream: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    config |= {"report_period": "year"}
    expected = sorted(map(str, sync(config, [stream]).records(stream)))
    paths = {request.path for request in harvest.requests}
    for path in paths:
        harvest.faults.add(path=re.escape(path) + "$", status=200, body="{}")
    result = sync(config, [stream])
    assert result.statuses == {stream: "COMPLETE"}
    assert sorted(map(str, result.records(stream))) == expected
    assert naps == [1] * len(paths)


def test_what_is_not_as_documented_below_every_invoice_is_given_up_as_other_faults_are(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/messages$", status=200, body="{}", times=None)
    result = sync({**config, "num_workers": 1}, ["invoice_messages"])
    kind, message = result.errors["invoice_messages"]
    assert kind == "system_error"
    assert message == (
        'Harvest\'s answer for invoice_messages is not as documented: it has no list "invoice_messages". '
        "Please report this message."
    )
    assert sum(request.path.endswith("/messages") for request in harvest.requests) == 3 * 6


@pytest.mark.parametrize("body", ["{}", "null", "[]", '{"access_token": ""}', '{"access_token": 5}'])
def test_an_answer_without_a_token_is_asked_for_again(
    body: str, harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.oauth.rotate = True
    harvest.faults.add(path="/oauth2/token$", status=200, body=body, times=2)
    assert sync(oauth_config, ["clients"]).statuses == {"clients": "COMPLETE"}
    assert naps == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        '{"refresh_token": "new", "access_token": null}',
        '{"access_token": "new", "refresh_token": 5}',
        '{"access_token": "new", "refresh_token": "new", "expires_in": "soon"}',
    ],
)
def test_a_refresh_token_that_may_be_used_up_is_not_sent_again(
    body: str, harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/oauth2/token$", status=200, body=body, times=None)
    result = sync(oauth_config, ["clients"])
    assert result.errors["clients"][0] == "system_error"
    assert [request.path for request in harvest.requests] == ["/api/v2/oauth2/token"]
    assert naps == []


def read_as_is(body: bytes, *headers: str) -> tuple[list[Record], dict[str, tuple[str, str]]]:
    """The clients of an account whose list of clients is that body, and the errors."""
    with RawServer(lambda request: request.answer(body, *headers)) as server:
        result = sync(server.config, ["clients"])
    return result.records("clients"), result.errors


def clients(name: str, more: str = "") -> str:
    """A list of one client; its name is JSON."""
    row = f'{{"id": 7, "name": {name}{more}, "updated_at": "2024-01-31T10:00:00Z"}}'
    return f'{{"clients": [{row}], "total_entries": 1, "links": {{"next": null}}}}'


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'"\ud83d"', "\ufffd"),
        (r'"cut \uD83D and more"', "cut \ufffd and more"),
        (r'"\ude00\ud83d"', "\ufffd\ufffd"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd😀"),
        (r'"\ud83d\n\u00e9\\ud83d"', "\ufffd\né\\ud83d"),
        (r'"\\\ud83d\\\\ud83d"', "\\\ufffd\\\\ud83d"),
        (r'{"\udead key": ["\udbff", {"deep": "\udc00"}]}', {"\ufffd key": ["\ufffd", {"deep": "\ufffd"}]}),
    ],
)
def test_half_a_surrogate_pair_is_read_and_replaced_and_said_once(
    written: str, read: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows, errors = read_as_is(clients(written, r', "address": "\ud83d"').encode())
    assert errors == {}
    assert [(row["name"], row["address"]) for row in rows] == [(read, "\ufffd")]
    assert sum("Harvest's clients hold text" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xef\xbb\xbf" + clients('"Café"').encode(), ()),
        (clients('"Café"').encode("utf-16"), ()),
        (clients('"Café"').encode("utf-16-le"), ()),
        (clients('"Café"').encode("utf-32-be"), ()),
        (clients('"Café"').encode("latin-1"), ("Content-Type: application/json; charset=ISO-8859-1",)),
        (clients(r'"Caf\u00e9"').encode(), ("Content-Type: text/html; charset=nonsense",)),
    ],
)
def test_json_is_read_however_it_is_encoded(
    body: bytes, headers: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    rows, errors = read_as_is(body, *headers)
    assert (errors, [row["name"] for row in rows]) == ({}, ["Café"])
    assert "U+FFFD" not in caplog.text


def test_bytes_that_are_no_text_are_replaced(caplog: pytest.LogCaptureFixture) -> None:
    rows, errors = read_as_is(clients('"Caf\udce9"').encode("utf-8", "surrogateescape"))
    assert (errors, [row["name"] for row in rows]) == ({}, ["Caf\ufffd"])
    assert "U+FFFD" in caplog.text


def test_a_whole_number_of_64_bits_stays_whole_beside_text_that_was_replaced() -> None:
    [row], _ = read_as_is(clients(r'"\ud83d"', ', "code": 9223372036854775807').encode())
    assert row["code"] == 2**63 - 1


@pytest.mark.parametrize(
    "value", ["NaN", "-Infinity", "{,}", "'single'", '"\t"', "[" * 5000 + "]" * 5000], ids=lambda value: value[:8]
)
def test_what_is_no_json_is_still_none(value: str, naps: list[float]) -> None:
    rows, errors = read_as_is(clients(value, r', "address": "\ud83d"').encode())
    assert rows == []
    assert "the answer was not JSON" in errors["clients"][1]
    assert naps


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_may_begin_with_a_byte_order_mark(encoding: str, tmp_path: Any) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"streams": [], "name": "Café"}', encoding=encoding)
    assert SourceHarvest.read_config(str(path)) == {"streams": [], "name": "Café"}
    assert SourceHarvest.read_catalog(str(path)).streams == []
    path.write_text("[]", encoding=encoding)
    assert SourceHarvest.read_state(str(path)) == []
    path.write_text("[", encoding=encoding)
    with pytest.raises(HarvestError, match="is not valid JSON"):
        SourceHarvest.read_state(str(path))


def test_an_answer_is_understood_once(config: dict[str, Any], harvest: Harvest) -> None:
    """A request for each list and no more: what is checked in it needs no other."""
    sync(config, ["clients", "roles"])
    assert sorted(request.path for request in harvest.requests) == ["/v2/clients", "/v2/roles"]
