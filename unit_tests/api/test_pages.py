"""Lists are read page by page to their end: smaller pages are asked for where large ones fail, memory is bounded."""

import gzip
import json
import tracemalloc
from collections import Counter
from threading import Event
from typing import Any

import pytest

from emulator import Harvest
from source_harvest.api import page_size, pages, request_slots, session
from testing.in_process import Sync, sync
from testing.raw_server import RawServer, Request, head
from testing.waiting import LONGEST_WAIT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http://", "https://"),
        ("127.0.0.1:", "127.0.0.1:1"),
        ("127.", "127.1."),
        ("//127.", "//evil.example\\@127."),
        ("//127.", "//somebody:else@127."),
        ("//127.", "//\n127."),
        ("//127.", "//evil.example#@127."),
        ("/v2", "/v2#"),
    ],
)
def test_the_next_page_is_asked_for_at_the_same_scheme_host_and_port_only(
    old: str, new: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    link = f"{config['api_url'].replace(old, new)}/clients?page=2"
    body = json.dumps({"clients": [], "links": {"next": link}})
    harvest.faults.add(path="/clients$", status=200, body=body, times=None)
    assert "on another host" in sync(config, ["clients"]).errors["clients"][1]


def test_pages_that_lead_round_in_a_circle_are_an_error(harvest: Harvest, config: dict[str, Any]) -> None:
    body = {"clients": [], "links": {"next": f"{config['api_url']}/clients?page=2"}}
    harvest.faults.add(path="/clients$", status=200, body=json.dumps(body), times=5)
    result = sync(config, ["clients"])
    assert "a page links back to an earlier one" in result.errors["clients"][1]
    assert result.states == {}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The accounts of tests are small, and so are the pages of these tests."""
    monkeypatch.setattr(page_size, "PER_PAGE", 8)
    monkeypatch.setattr(page_size, "SMALLER", (4, 2))


def ids(result: Sync, stream: str) -> list[int]:
    return sorted(row["id"] for row in result.records(stream))


def listed(harvest: Harvest, path: str) -> list[int]:
    return sorted(row["id"] for row in harvest.listed(path))


def asked(harvest: Harvest, path: str) -> list[str]:
    """The sizes of the pages that were asked for, as they changed."""
    sizes = [request.query.get("per_page", "") for request in harvest.requests if request.path.endswith(path)]
    return [size for size, before in zip(sizes, ["", *sizes], strict=False) if size != before]


TOO_MUCH: list[dict[str, Any]] = [
    {"status": 502},
    {"status": 504},
    {"kind": "reset"},
    {"kind": "cut"},
    {"kind": "html"},
]


@pytest.mark.parametrize("fault", TOO_MUCH, ids=str)
@pytest.mark.parametrize(("most", "sizes"), [(4, ["8", "4"]), (2, ["8", "4", "2"])])
@pytest.mark.parametrize("page", [None, 1, 2])
def test_a_list_whose_pages_are_too_much_is_read_with_smaller_ones(
    page: int | None,
    most: int,
    sizes: list[str],
    fault: dict[str, Any],
    harvest: Harvest,
    config: dict[str, Any],
    naps: list[float],
) -> None:
    """Each entry comes once, though some came before."""
    harvest.faults.add(path="/task_assignments$", larger_than=most, page=page, times=None, **fault)
    result = sync({**config, "num_workers": 2}, ["project_tasks", "clients"])
    assert result.statuses == {"project_tasks": "COMPLETE", "clients": "COMPLETE"}
    assert ids(result, "project_tasks") == listed(harvest, "task_assignments")
    assert asked(harvest, "/task_assignments") == sizes
    assert naps == [1, 2, 4, 8, 16] + [1] * (len(sizes) - 2)


@pytest.mark.parametrize(
    ("stream", "path"),
    [("pto_requests", "/pto/requests"), ("pto_types", "/pto/types"), ("pto_allocations", "/pto/allocations")],
)
def test_so_is_a_list_of_which_the_path_has_two_parts(
    stream: str, path: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path=f"{path}$", larger_than=4, status=502, times=None)
    result = sync({**config, "num_workers": 1}, [stream])
    assert result.statuses == {stream: "COMPLETE"}
    assert ids(result, stream) == listed(harvest, stream)
    assert asked(harvest, path) == ["8", "4"]


@pytest.mark.usefixtures("naps", "short_hangs")
def test_pages_that_are_not_answered_in_time_are_too_much(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(path="/task_assignments$", larger_than=4, kind="hang", times=None)
    result = sync(config, ["project_tasks"])
    assert ids(result, "project_tasks") == listed(harvest, "task_assignments")


def test_a_size_that_passed_is_kept_for_the_rest_of_the_sync(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    """The first read of a long list has many parts."""
    harvest.faults.add(path="/time_entries$", larger_than=4, status=500, times=None)
    result = sync({**config, "num_workers": 1}, ["time_entries", "time_entry_external_reference"])
    assert set(result.statuses.values()) == {"COMPLETE"}
    assert set(ids(result, "time_entries")) == set(listed(harvest, "time_entries"))
    assert asked(harvest, "/time_entries") == ["8", "4"]
    assert len([request for request in harvest.requests if request.status == 500]) == 6
    asked_before = len(harvest.requests)
    harvest.faults.clear()
    sync(config, ["time_entries"], result.state)
    later = [request.query for request in harvest.requests[asked_before:]]
    assert [(query["per_page"], "is_running" in query) for query in later] == [("8", False), ("8", True)]


def test_a_passing_fault_of_a_smaller_page_has_as_many_tries_as_any_other(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    """But where the larger page was too much."""
    harvest.faults.add(path="/task_assignments$", larger_than=4, page=1, status=500, times=None)
    harvest.faults.add(path="/task_assignments$", page=6, status=500, times=5)
    result = sync(config, ["project_tasks"])
    assert result.statuses == {"project_tasks": "COMPLETE"}
    assert naps == [1, 2, 4, 8, 16] * 2


def test_where_the_smallest_pages_are_too_much_the_list_fails(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/task_assignments$", page=2, status=500, times=None)
    result = sync(config, ["project_tasks", "clients"])
    assert result.errors["project_tasks"][0] == "transient_error"
    assert result.statuses["clients"] == "COMPLETE"
    assert asked(harvest, "/task_assignments") == ["8", "4", "2"]
    assert len([request for request in harvest.requests if request.status == 500]) == 6 + 2 + 2
    assert "project_tasks" not in result.states


def test_in_an_outage_no_smaller_pages_are_asked_for(
    harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path=".", status=503, times=None)
    result = sync({**config, "num_workers": 1}, ["project_tasks", "clients"])
    assert {kind for kind, _ in result.errors.values()} == {"transient_error"}
    assert asked(harvest, "/task_assignments") == ["8"]
    assert asked(harvest, "/clients") == ["8"]


@pytest.mark.parametrize(
    ("stream", "path"),
    [
        ("invoice_messages", "/messages$"),
        ("time_clients", "/reports/"),
        ("company", "/company$"),
        ("billable_rates", "/billable_rates$"),
    ],
)
def test_only_lists_at_the_top_are_read_with_smaller_pages(
    stream: str, path: str, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path=path, status=500, times=None)
    result = sync({**config, "num_workers": 1, "report_period": "year"}, [stream])
    assert result.errors[stream][0] == "transient_error"
    assert {request.query.get("per_page") for request in harvest.requests} <= {"8", "1", None}


def test_a_rejected_refresh_of_the_token_says_nothing_of_pages(
    harvest: Harvest, oauth_config: dict[str, Any], naps: list[float]
) -> None:
    harvest.faults.add(path="/oauth2/token$", status=500, times=None)
    result = sync(oauth_config, ["clients"])
    assert result.errors["clients"][0] == "transient_error"
    assert {request.path for request in harvest.requests} == {"/api/v2/oauth2/token"}


PIECE = 600_000
BOMB = gzip.compress(b" " * 100_000_000)


@pytest.mark.parametrize("headers", [("Content-Encoding: gzip",), ()], ids=["a bomb", "a large body"])
def test_a_body_that_is_too_large_is_never_held_and_counts_as_too_much(
    headers: tuple[str, ...], naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LARGEST_BODY", 3_000_000)

    def answer(request: Request) -> None:
        if request.path == "users/me":
            request.answer({"id": 1})
        elif request.query["per_page"] == "8":
            if headers:
                request.answer(BOMB, *headers)
            else:
                request.send(head(f"Content-Length: {100 * PIECE}"))
                for _ in range(100):
                    request.send(b" " * PIECE)
        else:
            request.answer({"clients": [{"id": 7}], "total_entries": 1, "links": {"next": None}})

    with RawServer(answer) as server:
        tracemalloc.start()
        try:
            result = sync(server.config, ["clients"])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert result.statuses == {"clients": "COMPLETE"}
    assert [request.query.get("per_page") for request in server.requests] == ["8"] * 6 + [None, "4"]
    assert peak < 40_000_000


def test_a_page_of_an_error_is_read_no_further_than_it_is_quoted(naps: list[float]) -> None:
    sent = 0

    def answer(request: Request) -> None:
        nonlocal sent
        request.send(head().replace(b"200 OK", b"422 No") + b'{"message": "')
        for _ in range(1000):
            request.send(b"x" * 64_000)
            sent += 64_000

    with RawServer(answer) as server:
        result = sync(server.config, ["clients"])
    assert "Harvest answered 422" in result.errors["clients"][1]
    assert sent < 32_000_000


def test_slow_bodies_keep_no_other_list_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are large too, and fill all the room that there is for bodies."""
    monkeypatch.setattr(request_slots, "BODIES", 1_000_000)
    others_are_done = Event()
    large = {"total_entries": 1, "links": {"next": None}, "notes": "x" * 3_000_000}
    slow = ["contacts", "projects", "tasks", "users", "roles"]

    def answer(request: Request) -> None:
        if request.path in slow:
            content = json.dumps({request.path: [{"id": 7, "updated_at": "2024-01-31T10:00:00Z"}], **large}).encode()
            request.send(head(f"Content-Length: {len(content)}") + content[:2_000_000])
            assert others_are_done.wait(LONGEST_WAIT)
            request.send(content[2_000_000:])
        else:
            page = int(request.query.get("page", "1"))
            url = f"{server.config['api_url']}/clients?page={page + 1}"
            row = {"id": page, "notes": "x" * 50_000}
            request.answer({"clients": [row], "total_entries": 30, "links": {"next": url if page < 30 else None}})
            if page == 30:
                others_are_done.set()

    with RawServer(answer) as server:
        result = sync({**server.config, "num_workers": 8}, ["contacts", "projects", "tasks", "users", "clients"])
    assert set(result.statuses.values()) == {"COMPLETE"}
    assert len(result.records("clients")) == 30


ROWS: dict[str, list[int]] = {"empty": [], "the same": [1, 2], "new": [1, 2]}


@pytest.mark.slow
@pytest.mark.parametrize("total", [0, 2, 100, None])
@pytest.mark.parametrize("rows", ["empty", "the same", "new"])
def test_pages_that_go_on_without_end_are_an_error(
    rows: str, total: int | None, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_PAGES", 200)

    def answer(request: Request) -> None:
        page = int(request.query.get("page", "1"))
        entries = [{"id": id_ + (10 * page if rows == "new" else 0)} for id_ in ROWS[rows]]
        url = f"{server.config['api_url']}/clients?page={page + 1}"
        request.answer({"clients": entries, "total_entries": total, "links": {"next": url}})

    with RawServer(answer) as server:
        result = sync(server.config, ["clients"])
    kind, message = result.errors["clients"]
    assert kind == "system_error"
    assert message.startswith("Harvest's answer for clients is not as documented: its pages do not end: ")
    assert len(server.requests) <= 200
    assert Counter(request.query.get("page", "1") for request in server.requests).most_common(1)[0][1] == 1


def test_a_list_that_grows_while_it_is_read_is_no_endless_one(harvest: Harvest, config: dict[str, Any]) -> None:
    """A client for each page that is asked for, until there are three times as many."""
    harvest.page_size_cap = 2

    def grow(request: Any) -> None:
        if request.path.endswith("/clients") and len(harvest.listed("clients")) < 12:
            harvest.add("clients", name="Another")

    harvest.before_page = grow
    result = sync(config, ["clients"])
    assert result.statuses == {"clients": "COMPLETE"}
    assert set(ids(result, "clients")) == set(listed(harvest, "clients"))
