"""What is added, changed and deleted shows as Harvest shows it, and moves the `updated_at` that Harvest moves."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest

from emulator import Harvest
from emulator.account.state import CHILDREN
from emulator.server.endpoints import BY_NAME
from testing.emulator_client import Client

NOW = "2026-03-02T10:00:00Z"
TABLES = sorted(Harvest().state.tables)
Row = dict[str, Any]


@pytest.fixture(autouse=True)
def an_hour_later(harvest: Harvest) -> None:
    harvest.clock.advance(hours=1)


def row(harvest: Harvest, table: str, row_id: int) -> Row:
    return next(row for row in harvest.listed(table) if row["id"] == row_id)


def bumped(harvest: Harvest) -> set[str]:
    """The lists in which something moved in this hour."""
    return {name for name in TABLES if any(row["updated_at"] == NOW for row in harvest.listed(name))}


def first(harvest: Harvest, table: str, **wanted: Any) -> int:
    found = (row for row in harvest.listed(table) if all(row[key] == value for key, value in wanted.items()))
    row_id: int = next(found)["id"]
    return row_id


@pytest.mark.parametrize("table", TABLES)
def test_an_added_row_is_listed_with_the_clocks_moment(table: str, harvest: Harvest, client: Client) -> None:
    row_id = harvest.add(table)
    added = row(harvest, table, row_id)
    assert (added["created_at"], added["updated_at"]) == (NOW, NOW)
    assert added["id"] == max(row["id"] for row in harvest.listed(table))
    assert client.get(BY_NAME[table].path, updated_since=NOW)[table][0] == added


@pytest.mark.parametrize(("table", "parent"), CHILDREN.items())
def test_an_added_child_is_listed_under_its_parent(table: str, parent: str, harvest: Harvest, client: Client) -> None:
    parent_id = harvest.listed(parent)[-1]["id"]
    key = {"invoices": "invoice_id", "estimates": "estimate_id", "users": "user_id"}[parent]
    row_id = harvest.add(table, **{key: parent_id})
    path = table.removeprefix("invoice_").removeprefix("estimate_")
    assert row_id in [row["id"] for row in client.get(f"/{parent}/{parent_id}/{path}")[table]]
    assert client.get(f"/{parent}/{parent_id}/{path}")[table] == harvest.children(table, parent_id)


def test_a_child_asks_for_its_parent(harvest: Harvest) -> None:
    with pytest.raises(KeyError, match="invoice_id"):
        harvest.add("invoice_payments")
    with pytest.raises(KeyError, match="no invoices with id 1"):
        harvest.add("invoice_payments", invoice_id=1)


def test_an_unknown_field_is_refused_with_the_known_ones(harvest: Harvest) -> None:
    with pytest.raises(TypeError, match="clients have no nmae; they have id, name"):
        harvest.add("clients", nmae="typo")


@pytest.mark.parametrize("table", TABLES)
def test_an_update_moves_updated_at_unless_told_not_to(table: str, harvest: Harvest) -> None:
    before = harvest.listed(table)[0]
    field = "name" if "name" in before else "first_name" if "first_name" in before else None
    values = {field: "Another"} if field else {}
    harvest.update(table, before["id"], bump=False, **values)
    assert row(harvest, table, before["id"]) == {**before, **values}
    harvest.update(table, before["id"], **values)
    assert row(harvest, table, before["id"]) == {**before, **values, "updated_at": NOW}


def test_a_rename_shows_inside_other_rows_and_bumps_only_its_own(harvest: Harvest) -> None:
    client_id = harvest.listed("projects")[0]["client"]["id"]
    harvest.update("clients", client_id, name="Renamed")
    project = row(harvest, "projects", harvest.listed("projects")[0]["id"])
    assert project["client"]["name"] == "Renamed"
    assert bumped(harvest) == {"clients"}
    user_id = harvest.listed("user_assignments")[0]["user"]["id"]
    harvest.update("users", user_id, last_name="Married")
    assert harvest.listed("user_assignments")[0]["user"]["name"].endswith(" Married")
    assert bumped(harvest) == {"clients", "users"}


def test_an_assignment_bumps_neither_its_user_nor_its_project(harvest: Harvest) -> None:
    harvest.add("user_assignments")
    harvest.add("task_assignments")
    harvest.add("time_entries")
    assert bumped(harvest) == {"user_assignments", "task_assignments", "time_entries"}


def test_a_contact_bumps_its_client(harvest: Harvest) -> None:
    harvest.add("contacts")
    assert bumped(harvest) == {"contacts", "clients"}


def test_an_invoice_from_time_bumps_the_entries_the_expenses_and_the_client(harvest: Harvest) -> None:
    entry, expense = first(harvest, "time_entries", is_billed=False), first(harvest, "expenses", is_billed=False)
    invoice = harvest.add("invoices", time_entry_ids=[entry], expense_ids=[expense])
    assert bumped(harvest) == {"invoices", "time_entries", "expenses", "clients"}
    for table, row_id in (("time_entries", entry), ("expenses", expense)):
        billed = row(harvest, table, row_id)
        assert (billed["is_billed"], billed["is_locked"]) == (True, True)
        assert billed["invoice"] == {"id": invoice, "number": row(harvest, "invoices", invoice)["number"]}


def test_a_payment_bumps_its_invoice_and_the_last_one_pays_it(harvest: Harvest) -> None:
    invoice = harvest.add("invoices", state="open", line_items=[{"quantity": 2.0, "unit_price": 150.0}])
    harvest.clock.advance(hours=1)
    harvest.add("invoice_payments", invoice_id=invoice, amount=100.0)
    partly = row(harvest, "invoices", invoice)
    assert (partly["updated_at"], partly["state"], partly["due_amount"]) == ("2026-03-02T11:00:00Z", "open", 200.0)
    last = harvest.add("invoice_payments", invoice_id=invoice, amount=200.0)
    paid = row(harvest, "invoices", invoice)
    assert (paid["state"], paid["paid_date"], paid["paid_at"]) == ("paid", "2026-03-02", "2026-03-02T00:00:00Z")
    harvest.clock.advance(hours=1)
    harvest.delete("invoice_payments", last)
    again = row(harvest, "invoices", invoice)
    assert (again["state"], again["paid_at"], again["updated_at"]) == ("open", None, "2026-03-02T12:00:00Z")


@pytest.mark.parametrize(
    ("event", "state", "field"),
    [
        ("send", "open", "sent_at"),
        ("close", "closed", "closed_at"),
        ("draft", "draft", None),
        ("re-open", "open", None),
    ],
)
def test_a_message_with_an_event_changes_its_invoice(
    event: str, state: str, field: str | None, harvest: Harvest
) -> None:
    invoice = harvest.listed("invoices")[0]["id"]
    harvest.add("invoice_messages", invoice_id=invoice, event_type=event)
    changed = row(harvest, "invoices", invoice)
    assert (changed["state"], changed["updated_at"]) == (state, NOW)
    assert field is None or changed[field] == NOW


@pytest.mark.parametrize(
    ("event", "state"), [("send", "sent"), ("accept", "accepted"), ("decline", "declined"), ("re-open", "sent")]
)
def test_a_message_with_an_event_changes_its_estimate(event: str, state: str, harvest: Harvest) -> None:
    estimate = harvest.listed("estimates")[0]["id"]
    harvest.add("estimate_messages", estimate_id=estimate, event_type=event)
    changed = row(harvest, "estimates", estimate)
    assert (changed["state"], changed["updated_at"]) == (state, NOW)


def test_a_first_message_sends_a_draft_and_a_reminder_bumps_nothing(harvest: Harvest) -> None:
    invoice = harvest.add("invoices")
    harvest.clock.advance(hours=1)
    harvest.add("invoice_messages", invoice_id=invoice)
    sent = row(harvest, "invoices", invoice)
    assert (sent["state"], sent["sent_at"]) == ("open", sent["updated_at"])
    harvest.clock.advance(hours=1)
    reminder = harvest.add("invoice_messages", invoice_id=invoice, reminder=True)
    assert row(harvest, "invoices", invoice) == sent
    harvest.delete("invoice_messages", reminder)
    assert row(harvest, "invoices", invoice) == sent
    assert len(harvest.children("invoice_messages", invoice)) == 1


def test_a_new_rate_ends_the_one_before_and_becomes_the_users(harvest: Harvest) -> None:
    user = next(row["id"] for row in harvest.listed("users") if len(harvest.children("cost_rates", row["id"])) == 1)
    harvest.add("cost_rates", user_id=user, amount=77.0, start_date="2026-03-01")
    old, new = harvest.children("cost_rates", user)
    assert (old["end_date"], old["updated_at"]) == ("2026-02-28", NOW)
    assert (new["end_date"], row(harvest, "users", user)["cost_rate"]) == (None, 77.0)


def test_a_role_shows_in_its_users_without_a_bump(harvest: Harvest) -> None:
    user = harvest.listed("users")[0]["id"]
    role = harvest.add("roles", name="Aardvark keeper", user_ids=[user])
    assert row(harvest, "users", user)["roles"][0] == "Aardvark keeper"
    harvest.delete("roles", role)
    assert "Aardvark keeper" not in row(harvest, "users", user)["roles"]
    assert bumped(harvest) == set()


def test_deleting_a_project_takes_its_time_expenses_and_assignments(harvest: Harvest) -> None:
    project = harvest.listed("time_entries")[-1]["project"]["id"]
    harvest.delete("projects", project)
    for table in ("time_entries", "expenses", "user_assignments", "task_assignments"):
        assert project not in [row["project"]["id"] for row in harvest.listed(table)]


def test_deleting_an_assignment_leaves_its_entries_without_one(harvest: Harvest) -> None:
    entry = next(row for row in harvest.listed("time_entries") if row["user_assignment"])
    harvest.delete("user_assignments", entry["user_assignment"]["id"])
    assert row(harvest, "time_entries", entry["id"]) == {**entry, "user_assignment": None}


def test_deleting_an_invoice_frees_its_entries_and_takes_its_children(harvest: Harvest, client: Client) -> None:
    entry = next(row for row in harvest.listed("time_entries") if row["is_billed"])
    harvest.delete("invoices", entry["invoice"]["id"])
    freed = row(harvest, "time_entries", entry["id"])
    assert (freed["invoice"], freed["is_billed"], freed["updated_at"]) == (None, False, NOW)
    assert client.answer(f"/invoices/{entry['invoice']['id']}/payments").status_code == 404


@pytest.mark.parametrize(
    ("table", "via"), [("clients", "projects"), ("tasks", "time_entries"), ("users", "time_entries")]
)
def test_what_is_in_use_is_not_removable(table: str, via: str, harvest: Harvest) -> None:
    row_id = harvest.listed(via)[0][table.removesuffix("s")]["id"]
    with pytest.raises(ValueError, match="not removable"):
        harvest.delete(table, row_id)


def test_what_nobody_uses_goes_with_what_belongs_to_it(harvest: Harvest) -> None:
    client, task = harvest.add("clients"), harvest.add("tasks")
    contact = harvest.add("contacts", client_id=client)
    assignment = harvest.add("task_assignments", task_id=task)
    harvest.delete("clients", client)
    harvest.delete("tasks", task)
    assert contact not in [row["id"] for row in harvest.listed("contacts")]
    assert assignment not in [row["id"] for row in harvest.listed("task_assignments")]


def test_archiving_a_project_locks_its_open_entries(harvest: Harvest) -> None:
    entry = row(harvest, "time_entries", harvest.add("time_entries"))
    harvest.update("projects", entry["project"]["id"], is_active=False)
    locked = row(harvest, "time_entries", entry["id"])
    assert (locked["is_locked"], locked["locked_reason"]) == (True, "Item Archived")


def test_a_projects_new_client_shows_in_its_time_without_a_bump(harvest: Harvest) -> None:
    entry = harvest.listed("time_entries")[-1]
    other = next(row for row in harvest.listed("clients") if row["id"] != entry["client"]["id"])
    harvest.update("projects", entry["project"]["id"], client_id=other["id"])
    assert harvest.listed("time_entries")[-1]["client"]["id"] == other["id"]
    assert bumped(harvest) == {"projects"}


def test_moving_an_entry_brings_its_client_and_assignments(harvest: Harvest) -> None:
    entry = harvest.add("time_entries")
    target = harvest.listed("user_assignments")[0]
    harvest.update("time_entries", entry, project_id=target["project"]["id"], user_id=target["user"]["id"])
    moved = row(harvest, "time_entries", entry)
    assert moved["user_assignment"]["id"] == target["id"]
    assert moved["client"] == row(harvest, "projects", target["project"]["id"])["client"]


def test_a_running_timer_grows_with_the_clock_and_not_its_updated_at(harvest: Harvest, client: Client) -> None:
    timer = client.get("/time_entries", is_running="true")["time_entries"][0]
    harvest.clock.advance(hours=2)
    grown = client.get("/time_entries", is_running="true")["time_entries"][0]
    assert grown["hours"] == pytest.approx(timer["hours"] + 2)
    assert (grown["updated_at"], grown["hours_without_timer"]) == (timer["updated_at"], timer["hours_without_timer"])


def test_a_timer_that_is_started_again_counts_from_then_on(harvest: Harvest) -> None:
    entry = harvest.add("time_entries", hours=2.0)
    harvest.update("time_entries", entry, is_running=True)
    harvest.clock.advance(minutes=30)
    assert row(harvest, "time_entries", entry)["hours"] == 2.5
    harvest.update("time_entries", entry, is_running=False)
    assert row(harvest, "time_entries", entry)["timer_started_at"] is None


def test_hours_bring_their_rounded_hours(harvest: Harvest) -> None:
    entry = row(harvest, "time_entries", harvest.add("time_entries", hours=2.11))
    assert (entry["hours_without_timer"], entry["rounded_hours"]) == (2.11, 2.25)


def test_a_request_for_time_off_has_a_day_for_each_day_of_work(harvest: Harvest) -> None:
    user = harvest.listed("users")[-1]["id"]
    request = harvest.add("pto_requests", user_id=user, start_date="2026-04-30", end_date="2026-05-04")
    days = row(harvest, "pto_requests", request)["request_days"]
    assert [(day["date"], day["hours"]) for day in days] == [("2026-04-30", 8.0), ("2026-05-04", 8.0)]  # 1 May is off
    harvest.update("pto_requests", request, start_date="2026-05-04", end_date="2026-05-05")
    moved = row(harvest, "pto_requests", request)["request_days"]
    assert (moved[0], [day["date"] for day in moved]) == (days[1], ["2026-05-04", "2026-05-05"])
    harvest.update("pto_requests", request, end_date="2026-05-04", start_time_minutes=540, end_time_minutes=780)
    [half] = row(harvest, "pto_requests", request)["request_days"]
    assert (half["hours"], half["day_fraction"], row(harvest, "pto_requests", request)["days"]) == (4.0, 0.5, 0.5)


def test_a_balance_counts_approved_and_pending_days(harvest: Harvest, client: Client) -> None:
    user = harvest.listed("users")[-1]["id"]

    def of_vacation() -> Row:
        answer = client.get("/pto/balances", user_id=user)
        assert answer["user"]["id"] == user
        found: Row = next(row for row in answer["balances"] if row["pto_type"]["name"] == "Vacation")
        return found

    before = of_vacation()
    request = harvest.add("pto_requests", user_id=user, start_date="2026-05-04", end_date="2026-05-05")
    pending = of_vacation()
    assert float(pending["pending_days"]) == float(before["pending_days"]) + 2
    harvest.update("pto_requests", request, status="approved")
    after = of_vacation()
    assert float(after["used_days"]) == float(before["used_days"]) + 2
    assert float(after["remaining_days"]) == float(before["remaining_days"]) - 2
    assert after["pending_days"] == before["pending_days"]


def test_bills_add_up(harvest: Harvest) -> None:
    items = [{"quantity": 0.01, "unit_price": 1250.0, "taxed": True}, {"quantity": 3.0, "unit_price": 95.5}]
    invoice = row(harvest, "invoices", harvest.add("invoices", line_items=items, tax=20.0, discount=10.0))
    assert [item["amount"] for item in invoice["line_items"]] == [12.5, 286.5]
    assert (invoice["discount_amount"], invoice["tax_amount"]) == (29.9, 2.25)
    assert (invoice["amount"], invoice["due_amount"]) == (271.35, 271.35)


def test_what_a_test_says_of_a_bill_stays(harvest: Harvest) -> None:
    invoice = harvest.add("invoices", amount=500.0)
    harvest.update("invoices", invoice, state="paid", paid_date="2026-03-01")
    said = row(harvest, "invoices", invoice)
    assert (said["amount"], said["due_amount"], said["state"], said["line_items"]) == (500.0, 500.0, "paid", [])
    harvest.update("invoices", invoice, line_items=[{"quantity": 2.0}], state="open")
    said = row(harvest, "invoices", invoice)
    assert (said["amount"], said["due_amount"], said["line_items"][0]["amount"]) == (200.0, 200.0, 200.0)


def test_a_working_day_changes_what_an_agency_changes(harvest: Harvest) -> None:
    harvest.clock.advance(hours=-1)
    start = harvest.clock.now()
    before = {name: {row["id"]: row for row in harvest.listed(name)} for name in TABLES}
    harvest.work(days=1)
    after = {name: {row["id"]: row for row in harvest.listed(name)} for name in TABLES}
    assert (harvest.clock.now() - start).total_seconds() == 24 * 3600
    grown = {"time_entries", "expenses", "contacts", "user_assignments", "invoices", "estimates", "pto_requests"}
    assert {name for name in TABLES if after[name].keys() - before[name].keys()} == grown
    assert before["time_entries"].keys() - after["time_entries"].keys()
    assert before["pto_requests"].keys() - after["pto_requests"].keys()
    edited = {row_id for row_id in before["tasks"] if before["tasks"][row_id] != after["tasks"][row_id]}
    assert len(edited) == 1
    assert any(row["state"] == "open" for row_id, row in after["invoices"].items() if row_id not in before["invoices"])


@pytest.mark.parametrize("seed", range(8))
def test_people_go_on_with_what_is_left_of_an_account(seed: int, harvest: Harvest) -> None:
    chance = random.Random(seed)
    for _ in range(8):
        for table in chance.sample(TABLES, len(TABLES) // 2):
            for left in harvest.listed(table):
                if table != "users" and chance.random() < 0.3 and "is_active" in left:
                    harvest.update(table, left["id"], is_active=False)
                elif chance.random() < 0.7:
                    with suppress(KeyError, ValueError):  # gone with another, or in use
                        harvest.delete(table, left["id"])
        harvest.work()
    assert any("administrator" in user["access_roles"] for user in harvest.listed("users"))


@pytest.mark.parametrize(("setting", "times"), [("12h", "9:00am"), ("24h", "09:00")])
def test_times_of_day_follow_the_accounts_clock(setting: str, times: str, harvest: Harvest, client: Client) -> None:
    harvest.clock_format = setting
    entries = client.get("/time_entries")["time_entries"]
    assert times in {entry["started_time"] for entry in entries}
    assert entries == harvest.listed("time_entries")
    assert client.get("/company")["clock"] == setting
