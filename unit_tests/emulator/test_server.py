"""The server is seen from the network as Harvest is, fails on demand, and leaves nothing behind."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
import requests

from emulator import Harvest, Server
from emulator.__main__ import main
from testing.emulator_client import Client


def test_the_date_is_the_clocks(harvest: Harvest, client: Client) -> None:
    harvest.clock.advance(days=1, minutes=5)
    assert client.answer("/clients").headers["Date"] == "Tue, 03 Mar 2026 09:05:00 GMT"


def test_the_date_can_be_left_out(harvest: Harvest, client: Client) -> None:
    harvest.date_header = False
    assert "Date" not in client.answer("/clients").headers


def test_headers_are_harvests(client: Client) -> None:
    headers = client.answer("/clients").headers
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert "Server" not in headers
    assert not [name for name in headers if name.lower().startswith("x-ratelimit")]


def test_every_request_is_on_record_in_order(harvest: Harvest, client: Client) -> None:
    client.answer("/clients", params={"per_page": 2})
    client.answer("/nothing")
    client.answer("/time_entries", headers={"Authorization": "Bearer wrong"})
    assert [(request.method, request.path, request.status) for request in harvest.requests] == [
        ("GET", "/v2/clients", 200),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/time_entries", 401),
    ]
    first = harvest.requests[0]
    assert first.query == {"per_page": "2"}
    assert first.headers["user-agent"] == "tests (tests@example.com)"
    assert harvest.requests[0].at < harvest.requests[2].at
    harvest.requests.clear()
    assert harvest.requests == []


@pytest.mark.parametrize("per_page", [1, 2])
@pytest.mark.parametrize("name", ["invoices", "clients"])
def test_a_fault_hits_its_page_as_often_as_it_says(name: str, per_page: int, harvest: Harvest, client: Client) -> None:
    harvest.faults.add(path=f"^/v2/{name}$", page=2, status=503, times=2, headers={"Retry-After": "7"}, body="busy")
    first = client.get(f"/{name}", per_page=per_page)
    for _ in range(2):
        answer = client.answer(first["links"]["next"])
        assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "busy", "7")
    assert client.answer(first["links"]["next"]).status_code == 200


def test_a_fault_without_end_stays_until_cleared(harvest: Harvest, client: Client) -> None:
    harvest.faults.add(path="/users/me", status=500, times=None)
    assert {client.answer("/users/me").status_code for _ in range(4)} == {500}
    harvest.faults.clear()
    assert client.answer("/users/me").status_code == 200


def test_a_reset_is_a_reset(harvest: Harvest, server: Server) -> None:
    harvest.faults.add(kind="reset")
    host, port = server.identity_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /v2/clients HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert harvest.requests[0].status is None


def test_a_cut_body_is_shorter_than_announced(harvest: Harvest, client: Client) -> None:
    whole = client.answer("/clients").content
    harvest.faults.add(path="/clients", kind="cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=f"{len(whole) // 2} bytes read"):
        client.answer("/clients")
    assert client.answer("/clients").content == whole


def test_broken_json_and_html_say_200(harvest: Harvest, client: Client) -> None:
    harvest.faults.add(kind="broken_json")
    harvest.faults.add(kind="html")
    broken, page = client.answer("/clients"), client.answer("/clients")
    assert (broken.status_code, page.status_code) == (200, 200)
    with pytest.raises(ValueError, match=r"JSON|Expecting"):
        broken.json()
    assert page.headers["Content-Type"] == "text/html"


def test_a_slow_answer_is_the_true_answer_later(harvest: Harvest, client: Client) -> None:
    harvest.faults.add(kind="slow", seconds=0.05)
    start = time.monotonic()
    assert client.get("/clients")["clients"] == harvest.listed("clients")
    assert time.monotonic() - start >= 0.05


def test_a_hanging_answer_never_comes_and_holds_nobody_else_up(
    harvest: Harvest, server: Server, client: Client
) -> None:
    harvest.faults.add(kind="hang")
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.session.get(f"{server.api_url}/tasks", timeout=0.05)
    assert client.answer("/clients").status_code == 200


@pytest.mark.parametrize("fault", [{"kind": "explode"}, {}])
def test_a_fault_that_makes_no_sense_is_refused(fault: dict[str, str], harvest: Harvest) -> None:
    with pytest.raises(ValueError, match=r"kinds are|needs a status"):
        harvest.faults.add(**fault)  # type: ignore[arg-type]


def test_latency_holds_for_every_request(harvest: Harvest, client: Client) -> None:
    harvest.latency = 0.03
    start = time.monotonic()
    client.answer("/clients")
    client.answer("/tasks")
    assert time.monotonic() - start >= 0.06


def test_limits_are_those_of_harvest_by_default(harvest: Harvest, client: Client) -> None:
    harvest.limits = True
    statuses = [client.answer("/users/me").status_code for _ in range(102)]
    assert statuses == [200] * 100 + [429] * 2
    refused = client.answer("/clients")
    assert 1 <= int(refused.headers["Retry-After"]) <= 15
    harvest.retry_after = False
    assert "Retry-After" not in client.answer("/clients").headers
    assert client.answer("/reports/project_budget").status_code == 200


def test_reports_have_a_limit_of_their_own(harvest: Harvest, client: Client) -> None:
    harvest.limits = True
    harvest.report_limit = (2, 900.0)
    statuses = [client.answer("/reports/project_budget").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert 800 < int(client.answer("/reports/project_budget").headers["Retry-After"]) <= 900
    assert client.answer("/clients").status_code == 200


@pytest.mark.slow
def test_a_limit_ends_with_its_window(harvest: Harvest, client: Client) -> None:
    harvest.limits = True
    harvest.general_limit = (1, 1.5)  # seconds: longer than two answers take on a busy machine
    assert [client.answer("/clients").status_code for _ in range(2)] == [200, 429]
    deadline = time.monotonic() + 5
    while client.answer("/clients").status_code == 429:
        assert time.monotonic() < deadline


def test_the_server_stops_what_it_started() -> None:
    threads = set(threading.enumerate())
    with Server(Harvest()) as server, requests.Session() as session:
        session.get(f"{server.api_url}/clients", timeout=5)
        port = int(server.identity_url.rsplit(":", 1)[1])
    assert threads.issuperset(threading.enumerate())
    with Server(Harvest(), port) as again:  # the port is free at once
        assert again.api_url == server.api_url


def test_the_server_stops_also_while_an_answer_hangs(harvest: Harvest) -> None:
    harvest.faults.add(kind="hang")
    with Server(harvest) as server:
        host, port = server.identity_url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=5)
        connection.sendall(b"GET /v2/clients HTTP/1.1\r\nHost: x\r\n\r\n")
        while not harvest.requests:
            time.sleep(0.001)
    connection.close()


def test_a_server_answers_only_this_machine(server: Server) -> None:
    assert server.api_url.startswith("http://127.0.0.1:")


def test_many_clients_at_once_all_get_whole_answers(harvest: Harvest, server: Server) -> None:
    results: list[Any] = []

    def read() -> None:
        client = Client(server, harvest, harvest.token)
        with client.session:
            results.extend(client.get("/time_entries")["total_entries"] for _ in range(5))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [len(harvest.listed("time_entries"))] * 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "xxl"], "invalid choice: 'xxl'"),
        (["--days", "-1"], "--days and --latency are not negative"),
        (["--port", "70000"], "--port is between 0 and 65535"),
        (["--colour"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_end_the_command_with_a_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err
