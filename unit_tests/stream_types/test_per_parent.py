"""Lists below each record of another list: which parents are asked for, and what is found."""

import json
from datetime import timedelta
from typing import Any

import pytest

from emulator import Harvest
from testing.expected_tables import identity, tables
from testing.in_process import first_sync, state_of, sync


def unannounced(harvest: Harvest, state: str) -> int:
    """Adds a message to an invoice that does not show it; returns the message's id."""
    invoice = next(row for row in reversed(harvest.listed("invoices")) if row["state"] == state)
    message = harvest.add("invoice_messages", invoice_id=invoice["id"], reminder=True, event_type=None)
    assert invoice in harvest.listed("invoices")
    return message


def messages_found(harvest: Harvest, config: dict[str, Any], state: Any, **advance: int) -> tuple[set[int], int, Any]:
    """The ids of the invoice messages that a sync after some time brings, its child requests, and its state."""
    harvest.clock.advance(**advance)
    harvest.requests.clear()
    result = sync(config, ["invoices", "invoice_messages"], state)
    visits = [request for request in harvest.requests if request.path.endswith("/messages")]
    return {row["id"] for row in result.records("invoice_messages")}, len(visits), result.state


@pytest.mark.slow
def test_children_that_no_parent_announces_are_found_within_a_day_while_the_parent_is_alive(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    state = first_sync(harvest, config).state
    message = unannounced(harvest, "open")
    assert messages_found(harvest, config, state, hours=1)[:2] == (set(), 0)
    found, visits, state = messages_found(harvest, config, state, days=1)
    assert found == {message}
    assert 0 < visits < len(harvest.listed("invoices"))
    assert messages_found(harvest, config, state, hours=1)[:2] == (set(), 0)


@pytest.mark.slow
def test_children_that_no_parent_announces_are_found_within_a_week_whatever_the_parent(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    state = first_sync(harvest, config).state
    message = unannounced(harvest, "paid")
    found, _, state = messages_found(harvest, config, state, days=5)
    assert message not in found
    found, visits, state = messages_found(harvest, config, state, days=2)
    assert message in found
    assert visits == len(harvest.listed("invoices"))
    assert messages_found(harvest, config, state, hours=1)[:2] == (set(), 0)


@pytest.mark.slow
def test_children_of_every_parent_are_visited_in_each_sync_where_the_config_says_so(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    config = {**config, "child_full_read_days": 0}
    state = first_sync(harvest, config).state
    message = unannounced(harvest, "paid")
    assert messages_found(harvest, config, state, hours=1)[:2] == ({message}, len(harvest.listed("invoices")))


@pytest.mark.slow
def test_what_is_below_each_user_costs_a_request_for_each_in_every_sync(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    state = first_sync(harvest, config).state
    harvest.requests.clear()
    sync(config, ["billable_rates", "cost_rates", "teammates"], state)
    users = harvest.listed("users")
    managers = [user for user in users if "manager" in user["access_roles"]]
    expected = ["/v2/users"]
    expected += [f"/v2/users/{user['id']}/{rates}" for user in users for rates in ("billable_rates", "cost_rates")]
    expected += [f"/v2/users/{user['id']}/teammates" for user in managers]
    assert sorted(request.path for request in harvest.requests) == sorted(expected)


def test_an_unfinished_read_of_children_from_the_future_is_not_trusted(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    last = max(row["id"] for row in harvest.listed("invoices"))
    state = {"unfinished": {"began": "2999-01-01T00:00:00Z", "up_to_parent": last}}
    result = sync(config, ["invoice_messages"], state_of("invoice_messages", state))
    assert not result.states["invoice_messages"]["updated_at"].startswith("2999")


def test_an_unfinished_read_of_children_from_tomorrow_loses_nothing(harvest: Harvest, config: dict[str, Any]) -> None:
    last = max(row["id"] for row in harvest.listed("invoices"))
    invoice = next(row["id"] for row in harvest.listed("invoices") if row["state"] in ("open", "draft"))
    began = f"{harvest.clock.now() + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    harvest.clock.advance(hours=1)
    message = harvest.add("invoice_messages", invoice_id=invoice)
    harvest.update("invoices", invoice, notes="bumped")
    harvest.clock.advance(hours=1)
    state = {"unfinished": {"began": began, "up_to_parent": last}}
    one = sync(config, ["invoice_messages"], state_of("invoice_messages", state))
    harvest.clock.advance(days=9)
    two = sync(config, ["invoice_messages"], one.state)
    assert message in {row["id"] for s in (one, two) for row in s.records("invoice_messages")}


def test_a_module_that_is_off_while_children_are_read_deletes_no_parent(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    def off(request: Any) -> None:
        if request.path.endswith("/messages"):
            harvest.modules.discard("invoice")

    harvest.before_page = off
    first = sync(config, ["invoice_messages"])
    harvest.before_page = None
    harvest.modules.add("invoice")
    harvest.clock.advance(days=30)
    second = sync(config, ["invoice_messages"], first.state)
    held = {row["id"] for s in (first, second) for row in s.records("invoice_messages")}
    assert held == {row["id"] for row in tables(harvest)["invoice_messages"]}


def test_a_parent_without_a_moment(harvest: Harvest, config: dict[str, Any]) -> None:
    row = {**harvest.listed("invoices")[0], "updated_at": None}
    harvest.faults.add(path="/invoices$", status=200, body=json.dumps({"invoices": [row], "links": {"next": None}}))
    state = {"updated_at": "2026-01-01T00:00:00Z", "all_parents_read": "2026-01-01T00:00:00Z"}
    result = sync(config, ["invoice_messages"], state_of("invoice_messages", state))
    assert "An unexpected error" not in str(result.errors)


def test_users_without_roles_are_asked_for_their_teammates(harvest: Harvest, config: dict[str, Any]) -> None:
    users = [{k: v for k, v in user.items() if k != "access_roles"} for user in harvest.listed("users")]
    harvest.faults.add("/users$", status=200, body=json.dumps({"users": users, "links": {"next": None}}))
    rows = [identity("teammates", row) for row in sync(config, ["teammates"]).records("teammates")]
    assert sorted(rows) == sorted(identity("teammates", row) for row in tables(harvest)["teammates"]) != []
