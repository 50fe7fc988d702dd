"""What happens to a sync when Harvest refuses, fails, or answers nonsense: it says so, and goes on with the rest."""

import json
from typing import Any

import pytest
import requests
from airbyte_cdk.models import AirbyteErrorTraceMessage
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets
from urllib3.connection import HTTPConnection

from emulator import Harvest
from source_harvest.api.auth import REQUEST_KWARGS
from testing.expected_tables import tables
from testing.in_process import Sync, catalog, sync
from testing.streams import STREAM_NAMES


def test_a_stream_that_the_user_may_not_read_says_who_may(harvest: Harvest, config: dict[str, Any]) -> None:
    config["credentials"]["api_token"] = harvest.token_for("member")
    result = sync(config, ["clients", "time_entries", "invoices", "invoice_messages"])
    kind, message = result.errors["clients"]
    assert kind == "config_error"
    assert message.startswith("Harvest answered 403 (Not authorized!) to the request for clients.")
    assert "Administrators and Managers who may create and edit clients" in message
    assert result.errors["invoices"] == result.errors["invoice_messages"]
    assert result.statuses == {
        "clients": "INCOMPLETE",
        "invoices": "INCOMPLETE",
        "invoice_messages": "INCOMPLETE",
        "time_entries": "COMPLETE",
    }
    assert set(result.states) == {"time_entries"}
    assert "3 of 4 streams could not be read to their end: clients, invoice_messages, invoices." in str(result.error)


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 403, 404, 418, 422])
def test_half_a_list_is_never_a_list(status: int, harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 2
    harvest.faults.add(path="/clients$", page=2, status=status)
    harvest.faults.add(path="/estimates$", page=2, status=status)
    result = sync(config, STREAM_NAMES)
    lost = {"clients", "estimates", "estimate_line_items", "estimate_messages"}
    assert set(result.errors) == lost
    assert {name for name, text in result.statuses.items() if text == "INCOMPLETE"} == lost
    assert set(result.states) == set(STREAM_NAMES) - lost


def test_a_parent_list_that_fails_midway_moves_no_cursor_of_its_children(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.page_size_cap = 2
    harvest.faults.add(path="/invoices$", page=2, status=500, times=None)
    result = sync(config, ["invoice_messages", "invoice_payments", "clients"])
    assert set(result.states) == {"clients"}
    assert {kind for kind, _ in result.errors.values()} == {"transient_error"}
    assert naps


def test_a_child_that_fails_moves_no_cursor(harvest: Harvest, config: dict[str, Any]) -> None:
    invoice = harvest.listed("invoices")[3]["id"]
    harvest.faults.add(path=f"/invoices/{invoice}/messages$", status=403)
    result = sync(config, ["invoices", "invoice_messages"])
    assert "invoice_messages" in result.errors
    state = result.states["invoice_messages"]
    assert "updated_at" not in state
    assert invoice in state["unread"]


def test_the_children_of_a_parent_that_was_deleted_meanwhile_are_skipped(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    gone = harvest.listed("invoices")[0]["id"]

    def delete(request: Any) -> None:
        if request.path.endswith("/messages") and gone in {row["id"] for row in harvest.listed("invoices")}:
            harvest.delete("invoices", gone)

    harvest.before_page = delete
    result = sync({**config, "num_workers": 1}, ["invoice_messages"])
    assert result.statuses == {"invoice_messages": "COMPLETE"}
    assert {row["id"] for row in result.records("invoice_messages")} >= {
        row["id"] for row in tables(harvest)["invoice_messages"]
    }


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"kind": "reset"}, {"kind": "cut"}])
@pytest.mark.parametrize("page", [None, 2])
def test_a_passing_fault_loses_nothing(
    page: int | None, fault: dict[str, Any], harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.page_size_cap = 2
    harvest.faults.add(path="/clients$", page=page, times=3, **fault)
    result = sync(config, ["clients"])
    assert sorted(row["id"] for row in result.records("clients")) == sorted(
        row["id"] for row in harvest.listed("clients")
    )
    assert len(naps) == 3
    assert naps == sorted(naps)


@pytest.mark.parametrize("kind", ["html", "broken_json"])
def test_an_answer_that_is_no_json_is_asked_for_again(
    kind: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", kind=kind)
    assert sync(config, ["clients"]).counts == {"clients": len(harvest.listed("clients"))}
    assert len(naps) == 1


def test_a_lasting_fault_fails_its_stream_as_transient_with_harvests_words(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=503, body="Sorry, back soon.", times=None)
    result = sync(config, ["clients", "projects"])
    kind, message = result.errors["clients"]
    assert kind == "transient_error"
    assert message.startswith("Harvest's clients could not be read: Harvest answered 503 (Sorry, back soon.).")
    assert result.statuses == {"clients": "INCOMPLETE", "projects": "COMPLETE"}
    assert naps == [1, 2, 4, 8, 16, 1, 1]  # with 2,000 entries a page, with 500 and with 100


def test_an_outage_is_not_waited_out_for_each_invoice(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    ids = sorted(row["id"] for row in harvest.listed("invoices"))
    assert len(ids) > 10
    harvest.faults.add(path="/messages$", status=503, times=None)
    result = sync({**config, "num_workers": 1}, ["invoices", "invoice_messages"])
    assert result.statuses == {"invoices": "COMPLETE", "invoice_messages": "INCOMPLETE"}
    assert set(result.states) == {"invoices"}
    assert sum(request.path.endswith("/messages") for request in harvest.requests) == 3 * 6
    assert len(told(result)) == 1


def told(result: Sync) -> list[AirbyteErrorTraceMessage]:
    """The errors of its streams."""
    return [m.trace.error for m in result.messages if m.trace and m.trace.error]


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 4, 8])
@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("status", [403, 422, 500])
def test_some_invoices_that_cannot_be_read_hide_no_other(
    status: int, step: int, num_workers: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    ids = sorted(row["id"] for row in harvest.listed("invoices"))
    hidden = {*ids[::step], *ids[: 1 if status == 500 else 5]}
    for id_ in hidden:
        harvest.faults.add(path=f"/invoices/{id_}/messages$", status=status, times=None)
    result = sync({**config, "num_workers": num_workers}, ["invoice_messages"])
    assert result.statuses == {"invoice_messages": "INCOMPLETE"}
    state = result.states.get("invoice_messages", {"unfinished": {"up_to_parent": 0}, "unread": []})
    assert "updated_at" not in state
    assert {id_ for id_ in hidden if id_ <= state["unfinished"]["up_to_parent"]} <= set(state["unread"])
    assert len(told(result)) == 1
    found = {row["id"] for row in result.records("invoice_messages")}
    assert found == {row["id"] for row in tables(harvest)["invoice_messages"] if row["invoice_id"] not in hidden}


@pytest.mark.parametrize("num_workers", [1, 4])
def test_a_token_that_is_revoked_among_many_invoices_is_told_briefly(
    num_workers: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    def revoke(request: Any) -> None:
        if "/messages" in request.path:
            harvest.faults.add(path=".", status=401, times=None)

    harvest.before_page = revoke
    names = ["invoice_messages", "invoice_payments", "estimate_messages"]
    result = sync({**config, "num_workers": num_workers}, names)
    errors = told(result)
    assert {error.stream_descriptor.name for error in errors} <= set(names)
    assert len(errors) <= 2 * len(names)
    assert max(len(error.stack_trace) for error in errors) < 20_000
    assert sum("/messages" in request.path or "/payments" in request.path for request in harvest.requests) < 20
    assert result.states == {}


@pytest.mark.parametrize("num_workers", [1, 4])
def test_a_fault_of_all_lists_is_told_once_for_each_stream_of_them(
    num_workers: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.faults.add(path="assignments|projects|users$", status=401, times=None)
    names = ["user_projects", "user_project_tasks", "users", "projects"]
    errors = told(sync({**config, "num_workers": num_workers}, names))
    assert sorted(error.stream_descriptor.name for error in errors) == sorted(names)


def test_a_certificate_that_is_not_trusted_is_no_passing_fault(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def send(*_: Any, **__: Any) -> None:
        nonlocal tries
        tries += 1
        reason = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
        raise requests.exceptions.SSLError(f"Max retries exceeded (Caused by SSLError({reason!r}))")

    monkeypatch.setattr(requests.Session, "send", send)
    result = sync(config, ["clients"])
    kind, message = result.errors["clients"]
    assert kind == "config_error"
    assert "is not trusted on this machine (self-signed certificate)" in message
    assert tries == 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"links": {"next": None}}, 'it has no list "clients"'),
        ({"clients": None, "links": {"next": None}}, 'it has no list "clients"'),
        ([], "it is no object, but list"),
        (None, "it is no object, but null"),
        ({"clients": []}, 'it has no link "next"'),
        ({"clients": [], "links": {}}, 'it has no link "next"'),
        ({"clients": [], "links": {"next": "https://elsewhere.example/v2/clients?page=2"}}, "on another host"),
        ({"clients": [5], "links": {"next": None}}, "an entry without an id"),
        ({"clients": [{}], "links": {"next": None}}, "an entry without an id"),
        ({"clients": [{"id": None}], "links": {"next": None}}, "an entry without an id"),
        ({"clients": [], "links": {"next": 5}}, 'it has no link "next"'),
        ({"clients": [], "links": {"next": None}, "total_entries": "5"}, '"total_entries" is no whole number'),
    ],
)
def test_an_answer_that_is_not_as_documented_is_an_error_and_no_empty_list(
    body: Any, what: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=200, body=json.dumps(body), times=None)
    result = sync(config, ["clients", "contacts"])
    kind, message = result.errors["clients"]
    assert (kind, what in message) == ("system_error", True), message
    assert set(result.states) == {"contacts"}


def test_the_token_goes_to_no_host_that_a_redirect_names(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/clients$", status=302, headers={"location": "/v2/contacts"}, times=None)
    result = sync(config, ["clients"])
    assert "follows no redirect" in result.errors["clients"][1]
    assert [request.path for request in harvest.requests] == ["/v2/clients"]


def test_a_stream_that_does_not_exist_is_named_and_the_others_are_read(config: dict[str, Any]) -> None:
    asked = catalog(["clients", "tasks"])
    asked.streams[0].stream.name = "invoice_lines"
    result = sync(config, [], asked=asked)
    kind, message = result.errors["invoice_lines"]
    assert kind == "config_error"
    assert message.startswith('The catalog selects a stream "invoice_lines", which this connector does not have.')
    assert result.statuses == {"invoice_lines": "INCOMPLETE", "tasks": "COMPLETE"}


def test_every_request_has_its_time_limits_and_says_who_asks(harvest: Harvest, config: dict[str, Any]) -> None:
    assert REQUEST_KWARGS["timeout"] == (10, 60)
    sync(config, ["clients", "invoice_messages"])
    for request in harvest.requests:
        assert request.headers["user-agent"].startswith("source-harvest/")
        assert "(http" in request.headers["user-agent"]
        assert request.headers["harvest-account-id"] == str(harvest.account_id)


@pytest.mark.slow
def test_connections_are_kept_open_and_used_again_until_the_sync_is_over(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    connect = HTTPConnection.connect
    monkeypatch.setattr(HTTPConnection, "connect", lambda self: (opened.append(self), connect(self)))
    sync({**config, "num_workers": 2}, STREAM_NAMES)
    assert len(harvest.requests) > 30
    assert 0 < len(opened) <= 2
    assert [connection.sock for connection in opened] == [None] * len(opened)


@pytest.mark.usefixtures("naps", "short_hangs")
def test_a_server_that_never_answers_is_given_up(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/clients$", kind="hang", times=None)
    result = sync(config, ["clients"])
    assert result.errors["clients"][0] == "transient_error"
    assert "ReadTimeout" in result.errors["clients"][1]


def test_an_expired_access_token_is_renewed_once_and_the_call_repeated(
    harvest: Harvest, oauth_config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    harvest.oauth.rotate = True
    harvest.page_size_cap = 2
    calls = 0

    def expire(request: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            harvest.oauth.expire()

    harvest.before_page = expire
    result = sync(oauth_config, ["clients", "projects", "users"])
    assert result.errors == {}
    assert len(result.records("clients")) == len(harvest.listed("clients"))
    renewals = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"type":"CONTROL"' in line]
    assert len(renewals) == 2
    kept = renewals[-1]["control"]["connectorConfig"]["config"]["credentials"]["refresh_token"]
    assert kept == harvest.oauth.refresh_token


@pytest.mark.slow
def test_a_secret_that_harvest_repeats_is_not_repeated_by_us(harvest: Harvest, config: dict[str, Any]) -> None:
    """Not even in part, where the quote is cut off."""
    token = config["credentials"]["api_token"]
    update_secrets([token])
    for length in range(150, 210):
        harvest.faults.add(path="/clients$", status=422, body=json.dumps({"message": "x" * length + token}))
        assert token[:6] not in sync(config, ["clients"]).errors["clients"][1]


def test_switched_off_modules_cost_one_question_about_the_account(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.modules.clear()
    result = sync({**config, "num_workers": 1}, ["invoices", "estimates", "expenses"])
    assert all("switched off" in message for _, message in result.errors.values())
    assert len([request for request in harvest.requests if request.path.endswith("/accounts")]) == 1


@pytest.mark.parametrize("status", [408, 501, 507, 520])
def test_whatever_may_pass_is_asked_for_again(
    status: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/clients$", status=status)
    result = sync(config, ["clients"])
    assert result.records("clients") == tables(harvest)["clients"]
    assert len(naps) == 1


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        ('{"message": "Two\\nlines"}', "Two lines"),
        ('{"error": "bad", "error_description": "Really bad"}', "Really bad"),
        ("", "no message"),
        ("[]", "[]"),
        ("<!DOCTYPE html>\n<HTML><body>Oh</body></HTML>", "an HTML page"),
        ("x" * 5000, "x" * 200),
    ],
)
def test_what_harvest_said_is_quoted_on_one_short_line(
    body: str, quoted: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.faults.add(path="/clients$", status=422, body=body)
    kind, message = sync(config, ["clients"]).errors["clients"]
    assert message.startswith(f"Harvest answered 422 ({quoted}) to the request for clients.")
    assert kind == "system_error"


@pytest.mark.parametrize("status", [201, 204, 206])
def test_only_a_200_is_an_answer(status: int, harvest: Harvest, config: dict[str, Any]) -> None:
    body = "" if status == 204 else json.dumps({"clients": harvest.listed("clients")[:1], "links": {"next": None}})
    harvest.faults.add(path="/clients$", status=status, body=body)
    result = sync(config, ["clients"])
    assert result.errors["clients"][1].startswith(f"Harvest answered {status} (no message)")
    assert (result.counts, result.states) == ({}, {})


@pytest.mark.parametrize("status", [403, 404])
def test_a_module_that_is_switched_off_is_the_users_to_mend(
    status: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.modules.remove("expense")
    harvest.module_off_status = status
    result = sync(config, ["expenses", "clients"])
    kind, message = result.errors["expenses"]
    assert kind == "config_error"
    assert "switched off" in message
    assert result.statuses == {"expenses": "INCOMPLETE", "clients": "COMPLETE"}


def test_no_cookie_is_kept(harvest: Harvest, config: dict[str, Any]) -> None:
    link = f"{config['api_url']}/clients?page=2"
    body = json.dumps({"clients": [], "links": {"next": link}})
    harvest.faults.add(path="/clients$", status=200, body=body, headers={"set-cookie": "session=1; Path=/"})
    sync(config, ["clients"])
    assert len(harvest.requests) > 1
    assert all("cookie" not in request.headers for request in harvest.requests)
