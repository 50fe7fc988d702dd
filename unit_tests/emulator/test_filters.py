"""Each filter lets through the rows that it names, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emulator import Harvest
from testing.emulator_client import Client

Row = dict[str, Any]


def ids(rows: list[Row]) -> list[int]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("contacts", "client_id"),
        ("projects", "client_id"),
        ("invoices", "client_id"),
        ("estimates", "client_id"),
        ("expenses", "client_id"),
        ("expenses", "project_id"),
        ("expenses", "user_id"),
        ("time_entries", "client_id"),
        ("time_entries", "project_id"),
        ("time_entries", "user_id"),
        ("time_entries", "task_id"),
        ("time_entries", "external_reference_id"),
        ("user_assignments", "user_id"),
    ],
)
def test_a_filter_by_id_gives_the_rows_that_refer_to_it(name: str, key: str, harvest: Harvest, client: Client) -> None:
    field = key.removesuffix("_id")
    rows = harvest.listed(name)
    wanted = next(row[field]["id"] for row in rows if row[field])
    expected = [row for row in rows if row[field] and row[field]["id"] == wanted]
    assert client.get(f"/{name}", **{key: wanted})[name] == expected
    assert len(expected) < len(rows)


def test_invoices_of_a_project_are_those_with_a_line_item_of_it(harvest: Harvest, client: Client) -> None:
    invoices = harvest.listed("invoices")
    project = next(item["project"]["id"] for row in invoices for item in row["line_items"] if item["project"])
    expected = [
        row["id"] for row in invoices if any((item["project"] or {}).get("id") == project for item in row["line_items"])
    ]
    assert ids(client.get("/invoices", project_id=project)["invoices"]) == expected


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *[(name, "is_active") for name in ("clients", "projects", "tasks", "users", "expense_categories")],
        *[(name, "is_active") for name in ("user_assignments", "task_assignments")],
        *[(name, "is_billed") for name in ("time_entries", "expenses")],
        ("time_entries", "is_running"),
    ],
)
@pytest.mark.parametrize("value", ["true", "false"])
def test_a_filter_by_a_flag_gives_the_rows_with_it(
    name: str, key: str, value: str, harvest: Harvest, client: Client
) -> None:
    expected = [row for row in harvest.listed(name) if row[key] is (value == "true")]
    assert expected
    assert client.get(f"/{name}", **{key: value})[name] == expected


@pytest.mark.parametrize("name", ["invoices", "estimates"])
def test_a_filter_by_state_gives_the_rows_in_it(name: str, harvest: Harvest, client: Client) -> None:
    for state in {row["state"] for row in harvest.listed(name)}:
        assert {row["state"] for row in client.get(f"/{name}", state=state)[name]} == {state}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("invoices", "issue_date"),
        ("estimates", "issue_date"),
        ("expenses", "spent_date"),
        ("time_entries", "spent_date"),
    ],
)
@pytest.mark.parametrize("form", [str, lambda day: day.replace("-", "")], ids=["2026-03-02", "20260302"])
def test_from_and_to_are_business_dates_both_included(
    name: str, field: str, form: Callable[[str], str], harvest: Harvest, client: Client
) -> None:
    days = sorted({row[field] for row in harvest.listed(name)})
    first, last = days[2], days[-3]
    expected = [row for row in harvest.listed(name) if first <= row[field] <= last]
    assert client.get(f"/{name}", per_page=2000, **{"from": form(first), "to": form(last)})[name] == expected


LISTS = ("clients", "contacts", "tasks", "projects", "users", "invoices", "estimates", "expenses", "time_entries")


@pytest.mark.parametrize("is_inclusive", [True, False])
@pytest.mark.parametrize("name", LISTS)
def test_updated_since_compares_the_rows_own_moment(
    name: str, is_inclusive: bool, harvest: Harvest, client: Client
) -> None:
    harvest.since_is_inclusive = is_inclusive
    rows = harvest.listed(name)
    since = sorted(row["updated_at"] for row in rows)[len(rows) // 2]
    expected = [row for row in rows if row["updated_at"] > since or (is_inclusive and row["updated_at"] == since)]
    assert client.get(f"/{name}", updated_since=since)[name] == expected


@pytest.mark.parametrize(
    ("since", "finds"),
    [
        ("2026-03-02T09:00:00Z", True),
        ("2026-03-02T09:00:00+00:00", True),
        ("2026-03-02T10:00:00+01:00", True),
        ("2026-03-02T10:00:01+01:00", False),
        ("2026-03-02T09:00:00.000Z", True),
        ("2026-03-02T09:00:00.250000Z", False),
        ("2026-03-02T09:00", True),
        ("2026-03-02", True),
    ],
)
def test_updated_since_may_be_written_in_these_ways(since: str, finds: bool, harvest: Harvest, client: Client) -> None:
    row_id = harvest.add("clients")
    assert (row_id in ids(client.get("/clients", updated_since=since)["clients"])) is finds


@pytest.mark.parametrize(
    "since", ["2026-03-02 09:00:00", "2026-03-02T09:00:00 00:00", "yesterday", "2026-13-01T00:00:00Z"]
)
def test_an_unreadable_updated_since_is_a_bad_request(since: str, client: Client) -> None:
    assert client.answer("/clients", params={"updated_since": since}).status_code == 400


def test_roles_ignore_updated_since(harvest: Harvest, client: Client) -> None:
    assert client.get("/roles", updated_since="2030-01-01T00:00:00Z")["roles"] == harvest.listed("roles")


def test_filters_and_paging_go_together(harvest: Harvest, client: Client) -> None:
    expected = [row for row in harvest.listed("time_entries") if row["is_billed"]]
    pages = client.pages("/time_entries", is_billed="true", per_page=7)
    assert [row for page in pages for row in page["time_entries"]] == expected
    assert pages[0]["total_entries"] == len(expected)


@pytest.mark.parametrize(("name", "parent"), [("invoice_messages", "invoices"), ("estimate_messages", "estimates")])
def test_messages_can_be_asked_for_since_a_moment(name: str, parent: str, harvest: Harvest, client: Client) -> None:
    row = max(harvest.listed(parent), key=lambda row: len(harvest.children(name, row["id"])))
    newest = harvest.children(name, row["id"])[0]
    path = f"/{parent}/{row['id']}/messages"
    assert client.get(path)[name] == harvest.children(name, row["id"])
    assert client.get(path, updated_since=newest["updated_at"])[name] == [newest]
