"""The account is deterministic, consistent, and has every special case, also where it is small."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from emulator import Harvest
from emulator.account.rows import LINKS
from emulator.account.state import CHILDREN, SHAPES
from emulator.sample.builder import SIZES

LISTS = sorted(Harvest().state.tables)
SEEDS = (0, 1, 2, 3)


def content(harvest: Harvest) -> bytes:
    lists = {name: harvest.listed(name) for name in LISTS}
    children = {
        name: {row["id"]: harvest.children(name, row["id"]) for row in harvest.listed(parent)}
        for name, parent in CHILDREN.items()
    }
    return orjson.dumps([lists, children], option=orjson.OPT_NON_STR_KEYS)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["xs", "s"])
def test_the_same_seed_gives_the_same_bytes_also_after_work(size: str) -> None:
    one, other = Harvest(size, seed=7), Harvest(size, seed=7)
    assert content(one) == content(other)
    one.work(days=3)
    for _ in range(3):
        other.work()
    assert content(one) == content(other)
    assert one.clock.now() == other.clock.now()


def test_another_seed_gives_another_account() -> None:
    assert content(Harvest(seed=1)) != content(Harvest(seed=2))


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="sizes are xs, s, m, l"):
        Harvest("xxl")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("days", [0, 5])
def test_every_foreign_key_joins_and_says_what_its_row_says(seed: int, days: int) -> None:
    harvest = Harvest(seed=seed)
    harvest.work(days)
    rows = {name: {row["id"]: row for row in harvest.listed(name)} for name in LISTS}

    def check(reference: Any, shape: str) -> None:
        if reference is None:
            return
        table, fields = SHAPES[shape]
        row = rows[table][reference["id"]]
        name = {"name": f"{row['first_name']} {row['last_name']}"} if table == "users" and "name" in fields else {}
        assert reference == {**{key: row.get(key) for key in fields}, **name}

    for table, links in LINKS.items():
        for row in rows[table].values():
            for field, shape in links.items():
                check(row[field], shape)
    for invoice in rows["invoices"].values():
        for item in invoice["line_items"]:
            check(item["project"], "project")
    assert {user for role in rows["roles"].values() for user in role["user_ids"]} <= rows["users"].keys()
    for table in ("time_entries", "expenses"):
        for row in rows[table].values():
            assert row["client"]["id"] == rows["projects"][row["project"]["id"]]["client"]["id"]


@pytest.mark.parametrize("seed", SEEDS)
def test_time_runs_forward(seed: int) -> None:
    harvest = Harvest(seed=seed)
    harvest.work(days=2)
    now = harvest.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in LISTS:
        rows = sorted(harvest.listed(name), key=lambda row: row["id"])
        assert all(row["created_at"] <= row["updated_at"] <= now for row in rows), name
        assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows), name


@pytest.mark.parametrize("seed", SEEDS)
def test_the_small_account_has_every_special_case(seed: int) -> None:
    harvest = Harvest(seed=seed)
    listed = {name: harvest.listed(name) for name in LISTS}
    invoices, entries, expenses = listed["invoices"], listed["time_entries"], listed["expenses"]
    projects, users = listed["projects"], listed["users"]
    payments = {row["id"]: harvest.children("invoice_payments", row["id"]) for row in invoices}
    invoice_messages = [m for row in invoices for m in harvest.children("invoice_messages", row["id"])]
    estimate_messages = [m for row in listed["estimates"] for m in harvest.children("estimate_messages", row["id"])]

    assert len(entries) <= 150
    assert {row["state"] for row in invoices} == {"draft", "open", "paid", "closed"}
    assert {row["state"] for row in listed["estimates"]} == {"draft", "sent", "accepted", "declined"}
    assert {m["event_type"] for m in invoice_messages} == {None, "send", "close", "draft", "re-open"}
    events = {None, "send", "accept", "decline", "re-open", "view", "invoice"}
    assert {m["event_type"] for m in estimate_messages} == events
    assert any(row["state"] == "draft" and payments[row["id"]] for row in invoices)
    gateways = {p["payment_gateway"]["name"] for each in payments.values() for p in each}
    assert None in gateways
    assert len(gateways) == 2
    items = [item for row in invoices for item in row["line_items"]]
    assert any(not row["line_items"] for row in invoices)
    assert {item["project"] is None for item in items} == {True, False}
    assert {item["description"] is None for item in items} == {True, False}
    assert {row["estimate"] is None for row in invoices} == {True, False}
    assert any(row["retainer"] for row in invoices)
    assert any(row["recurring_invoice_id"] for row in invoices)
    assert len({row["currency"] for row in listed["clients"]}) > 1
    for name in ("clients", "projects", "tasks", "users", "expense_categories", "user_assignments"):
        assert {row["is_active"] for row in listed[name]} == {True, False}, name
    assert {row["bill_by"] for row in projects} == {"Project", "Tasks", "People", "none"}
    budgets = {"project", "project_cost", "task", "task_fees", "person", "none"}
    assert {row["budget_by"] for row in projects} == budgets
    assert {row["is_fixed_fee"] for row in projects} == {True, False}
    assert {None, ""} < {row["code"] for row in projects}
    assert {role for row in users for role in row["access_roles"]} >= {"administrator", "manager", "member"}
    assert {row["is_contractor"] for row in users} == {True, False}
    assert {row["default_hourly_rate"] is None for row in users} == {True, False}
    assert any(not row["user_ids"] for row in listed["roles"])
    assert min(row["id"] for row in entries) > 2**31
    assert sum(row["is_running"] for row in entries) == 1
    for field in ("external_reference", "user_assignment", "task_assignment", "invoice", "notes", "started_time"):
        assert {row[field] is None for row in entries} == {True, False}, field
    assert {0.33, 2.5} <= {row["hours"] for row in entries}
    assert "12:15am" in {row["started_time"] for row in entries}
    notes = "".join(row["notes"] or "" for row in entries)
    assert all(character in notes for character in '"\n\\レ🚲')
    assert any("AB-" in (row["external_reference"] or {"id": ""})["id"] for row in entries)
    assert {row["receipt"] is None for row in expenses} == {True, False}
    assert any(row["expense_category"]["unit_price"] for row in expenses)
    assert {len(harvest.children("billable_rates", row["id"])) for row in users} == {0, 1, 2}


def test_sizes_are_what_they_say() -> None:
    harvest = Harvest("s")
    expected = SIZES["s"]
    assert len(harvest.listed("invoices")) == expected.invoices
    assert len(harvest.listed("time_entries")) == expected.entries + 1  # the running timer
    assert len(harvest.listed("users")) == expected.users


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", ["s", "m"])
def test_people_work_as_in_an_agency(size: str, seed: int) -> None:
    """Whole days, no weekends, most of the capacity in use, and nothing more of those who left."""
    harvest = Harvest(size, seed)
    entries = [entry for entry in harvest.listed("time_entries") if not entry["is_running"]]
    days: dict[tuple[int, date], list[float]] = {}
    for entry in entries:
        days.setdefault((entry["user"]["id"], date.fromisoformat(entry["spent_date"])), []).append(entry["hours"])
    recent = {(user, day): sum(hours) for (user, day), hours in days.items() if day >= date(2025, 11, 3)}
    assert min(day for _, day in days) < date(2024, 4, 1)
    assert {day.weekday() for _, day in days} == {0, 1, 2, 3, 4}
    assert max(len(hours) for hours in days.values()) <= 4
    assert max(sum(hours) for hours in days.values()) < 11
    assert min(recent.values()) > 4
    billable = sum(entry["hours"] for entry in entries if entry["billable"])
    assert 0.7 < billable / sum(entry["hours"] for entry in entries) < 0.9

    used = {}
    for user in harvest.listed("users"):
        worked = sum(hours for (user_id, _), hours in recent.items() if user_id == user["id"])
        used[user["id"]] = worked / (user["weekly_capacity"] / 3600 * 17)
        if not user["is_active"]:
            assert worked == 0
        elif not user["is_contractor"]:
            assert 0.6 < used[user["id"]] < 1
        if user["weekly_capacity"] == 32 * 3600:
            assert {day.weekday() for user_id, day in days if user_id == user["id"]} == {0, 1, 2, 3}
    assert 0 < min(share for share in used.values() if share) < 0.25


def test_what_one_gets_is_a_copy(harvest: Harvest) -> None:
    harvest.listed("clients")[0]["name"] = "changed"
    assert harvest.listed("clients")[0]["name"] != "changed"
