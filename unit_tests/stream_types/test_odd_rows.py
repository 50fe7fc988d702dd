"""Odd rows: each is left out alone and told, takes no other row with it, and is never taken for deleted."""

import json
from typing import Any

import pytest

from emulator import Harvest
from testing.in_process import Sync, sync
from testing.raw_server import RawServer, Request
from testing.streams import DELETED


@pytest.mark.parametrize(
    ("path", "body", "stream"),
    [
        ("/invoices$", {"invoices": [{"id": 1, "updated_at": "2026-01-01T00:00:00Z"}]}, "invoice_line_items"),
        ("/contacts$", {"contacts": [{"id": 1, "client": "Acme"}]}, "contacts"),
        ("/payments$", {"invoice_payments": [{"id": 1, "payment_gateway": "cash"}]}, "invoice_payments"),
        ("/user_assignments$", {"user_assignments": [{"id": 1}]}, "user_projects"),
    ],
)
def test_a_row_that_is_not_as_documented_is_one_sentence_and_fails_its_stream_alone(
    path: str, body: dict[str, Any], stream: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.faults.add(path=path, status=200, body=json.dumps({**body, "links": {"next": None}}), times=None)
    result = sync(config, [stream, "tasks"])
    kind, message = result.errors[stream]
    assert kind == "system_error"
    assert message.startswith("Harvest's answer for ")
    assert message.endswith("Please report this message.")
    assert set(result.states) == {"tasks"}


ABSENT = object()
DAY = "2024-01-01T00:00:00Z"
ADMINISTRATOR = {"id": 1, "access_roles": ["administrator"], "timezone": "UTC", "updated_at": DAY}

BESIDE = {
    "invoices": ["invoices", "invoice_line_items", "invoice_payments"],
    "time_entries": ["time_entries", "time_entry_external_reference"],
    "roles": ["roles", "user_roles"],
    "user_assignments": ["project_users", "user_projects", "user_project_tasks", "project_tasks"],
}


class Account:
    """A small account whose rows a test may change as no documentation allows."""

    def __init__(self) -> None:
        base = {"created_at": DAY, "updated_at": DAY}
        line = {"project": None, "amount": 1.0}
        self.lists: dict[str, list[dict[str, Any]]] = {
            "users": [ADMINISTRATOR | {"id": id_} for id_ in (1, 2)],
            "clients": [base | {"id": 1}],
            "projects": [base | {"id": id_, "client": {"id": 1}} for id_ in (1, 2)],
            "roles": [base | {"id": id_, "user_ids": [1, 2]} for id_ in (1, 2, 3)],
            "invoices": [
                base
                | {"id": id_, "state": "open", "line_items": [line | {"id": 10 * id_}, line | {"id": 10 * id_ + 1}]}
                for id_ in (1, 2, 3)
            ],
            "time_entries": [
                base | {"id": id_, "spent_date": "2024-01-01", "external_reference": {"id": f"r{id_}"}}
                for id_ in (1, 2, 3)
            ],
            "user_assignments": [
                base | {"id": id_, "is_active": True, "project": {"id": id_}, "user": {"id": 1}} for id_ in (1, 2)
            ],
            "task_assignments": [
                base | {"id": id_, "is_active": True, "project": {"id": id_}, "task": {"id": 1}} for id_ in (1, 2)
            ],
            **{
                f"invoices/{id_}/payments": [base | {"id": 100 + id_, "payment_gateway": {"id": 1}}]
                for id_ in (1, 2, 3)
            },
        }

    def alter(self, name: str, row_id: int, field: str, value: Any) -> None:
        """In one row of a list, one field."""
        row = next(row for row in self.lists[name] if row["id"] == row_id)
        if value is ABSENT:
            del row[field]
        else:
            row[field] = value

    def answer(self, request: Request) -> None:
        if request.path == "users/me":
            request.answer(ADMINISTRATOR)
            return
        key = "invoice_payments" if request.path.endswith("payments") else request.path
        rows = self.lists[request.path]
        request.answer({key: rows, "total_entries": len(rows), "links": {"next": None}})

    def sync(self, streams: list[str], state: Any = None) -> Sync:
        with RawServer(self.answer) as server:
            return sync(server.config, streams, state)


ODD_INSIDE = [
    *(("invoices", "line_items", value) for value in (ABSENT, 7, [{"amount": 1}], [{"id": None}], ["x"], [None])),
    ("invoices", "line_items", [{"id": 70, "amount": 1.0}, {"id": 70, "amount": 2.0}]),
    *(("time_entries", "external_reference", value) for value in (ABSENT, {"id": None}, {"group_id": "1"}, {"id": []})),
    *(("roles", "user_ids", value) for value in (ABSENT, "1", [None], [{"id": 1}])),
]


@pytest.mark.parametrize(("name", "field", "value"), ODD_INSIDE)
def test_what_a_row_holds_without_a_key_is_left_out_with_one_warning_and_all_else_comes(
    name: str, field: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    account = Account()
    before = account.sync(BESIDE[name]).counts
    caplog.clear()
    account.alter(name, 2, field, value)
    if name == "time_entries" and isinstance(value, dict):
        account.alter(name, 3, field, value)
    result = account.sync(BESIDE[name])
    assert result.error is None
    derived = BESIDE[name][1]
    assert {stream: count for stream, count in result.counts.items() if stream != derived} == {
        stream: count for stream, count in before.items() if stream != derived
    }
    assert derived in result.counts
    warnings = [r.getMessage() for r in caplog.records if "Harvest's rows are not as documented" in r.getMessage()]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{derived}: ")
    assert f"{name} 2" in warnings[0]


@pytest.mark.parametrize("value", [None, [], {}])
def test_nothing_inside_is_nothing_odd(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    account = Account()
    account.alter("invoices", 2, "line_items", [] if value == {} else value)
    result = account.sync(BESIDE["invoices"])
    assert (result.error, result.counts["invoice_line_items"]) == (None, 4)
    assert "not as documented" not in caplog.text


@pytest.mark.parametrize(
    ("name", "field", "failing"),
    [
        ("invoices", "line_items", {"invoice_line_items"}),
        ("time_entries", "external_reference", {"time_entry_external_reference"}),
        ("roles", "user_ids", {"user_roles"}),
        ("user_assignments", "project", {"user_projects", "user_project_tasks"}),
    ],
)
def test_a_field_that_a_whole_page_lacks_fails_what_is_made_of_it_and_nothing_else(
    name: str, field: str, failing: set[str]
) -> None:
    account = Account()
    for row in account.lists[name]:
        del row[field]
    result = account.sync(BESIDE[name])
    assert {stream for stream, status in result.statuses.items() if status == "INCOMPLETE"} == failing
    assert set(result.counts) >= set(BESIDE[name]) - failing


@pytest.mark.parametrize(
    ("value", "gone"),
    [(ABSENT, set()), ([{"id": None}], set()), ("x", set()), (None, {20, 21}), ([], {20, 21}), ([{"id": 20}], {21})],
)
def test_only_what_is_known_to_be_gone_is_told_as_deleted(value: Any, gone: set[int]) -> None:
    account = Account()
    streams = [*BESIDE["invoices"], DELETED]
    first = account.sync(streams)
    account.alter("invoices", 2, "line_items", value)
    account.alter("invoices", 2, "updated_at", "2090-01-01T00:00:00Z")
    second = account.sync(streams, first.state)
    assert second.error is None
    assert {row["record_id"] for row in second.records(DELETED)} == gone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "row_id", "field", "failing"),
    [
        ("invoices", 2, "client", {"invoices"}),
        ("time_entries", 2, "project", {"time_entries"}),
        ("projects", 2, "client", {"projects", "user_projects"}),
        ("user_assignments", 2, "user", {"project_users", "user_projects"}),
        ("invoices/2/payments", 102, "payment_gateway", {"invoice_payments"}),
    ],
)
def test_a_row_that_is_at_odds_is_named_and_all_others_come(
    name: str, row_id: int, field: str, failing: set[str]
) -> None:
    account = Account()
    streams = sorted({stream for together in BESIDE.values() for stream in together} | {"projects"})
    before = account.sync(streams).counts
    account.alter(name, row_id, field, "no object")
    result = account.sync(streams)
    assert {stream for stream, status in result.statuses.items() if status == "INCOMPLETE"} == failing
    assert set(result.errors) == failing
    for stream in streams:
        lost = before[stream] - result.counts[stream]
        assert lost == (stream in failing) or stream == "user_project_tasks", stream
    assert all(f"id {row_id}" in message for _, message in result.errors.values())


@pytest.mark.parametrize("field", ["project", "user"])
@pytest.mark.parametrize("value", [None, ABSENT, {}, {"id": None}])
def test_an_assignment_that_refers_to_nothing_costs_only_the_rows_that_have_no_key_without_it(
    field: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    account = Account()
    account.alter("user_assignments", 2, field, value)
    result = account.sync(BESIDE["user_assignments"])
    assert result.error is None
    assert result.counts == {"project_users": 2, "user_projects": 2, "user_project_tasks": 1, "project_tasks": 2}
    assert [row[f"{field}_id"] for row in result.records("user_projects")] == [1, None]
    assert caplog.text.count("Harvest's rows are not as documented") == 1
    assert "user_project_tasks: " in caplog.text


def test_no_derived_key_comes_twice() -> None:
    account = Account()
    account.alter("roles", 2, "user_ids", [1, 2, 1, 1])
    account.lists["user_assignments"].append(account.lists["user_assignments"][0] | {"id": 3})
    result = account.sync([*BESIDE["roles"], *BESIDE["user_assignments"]])
    assert result.error is None
    for stream, columns in {
        "user_roles": ("role_id", "user_id"),
        "user_project_tasks": ("user_id", "project_task_id"),
    }.items():
        keys = [tuple(row[column] for column in columns) for row in result.records(stream)]
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize("value", [None, 7, {"at": 1}])
def test_a_row_without_a_moment_comes_and_so_does_what_hangs_on_it(value: Any) -> None:
    account = Account()
    before = account.sync(BESIDE["invoices"])
    account.alter("invoices", 2, "updated_at", value)
    account.alter("invoices/2/payments", 102, "updated_at", "2090-01-01T00:00:00Z")
    result = account.sync(BESIDE["invoices"], before.state)
    assert result.error is None
    assert 102 in {row["id"] for row in result.records("invoice_payments")}
