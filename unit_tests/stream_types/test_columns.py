"""Columns that the connector adds: keys beside objects, times of day, what a user may do."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from emulator import Harvest
from testing.expected_tables import tables
from testing.in_process import sync


def one_row(harvest: Harvest, name: str, row: Mapping[str, Any]) -> None:
    """Harvest's next answer for the list is this row."""
    harvest.faults.add(path=f"/{name}$", status=200, body=json.dumps({name: [row], "links": {"next": None}}))


def test_a_reference_that_harvest_leaves_out_gives_a_null_key(harvest: Harvest, config: dict[str, Any]) -> None:
    row = dict(harvest.listed("contacts")[0])
    del row["client"]
    one_row(harvest, "contacts", row)
    assert sync(config, ["contacts"]).records("contacts") == [{**row, "client_id": None}]


@pytest.mark.parametrize(
    ("shown", "time_of_day"),
    [
        ("12:00am", "00:00:00"),
        ("12:30pm", "12:30:00"),
        ("3:05 PM", "15:05:00"),
        ("15:00:30", "15:00:30"),
        ("13:00pm", None),
        ("0:30am", None),
        ("24:00", None),
        ("10:61", None),
        ("10:00:61", None),
        ("3:00pm CET", None),
        ("noon", None),
    ],
)
def test_a_displayed_time_is_a_time_of_day_or_null(
    shown: str, time_of_day: str | None, harvest: Harvest, config: dict[str, Any]
) -> None:
    entry = tables(harvest)["time_entries"][0]
    one_row(harvest, "time_entries", {**entry, "started_time": shown, "ended_time": None})
    found = sync(config, ["time_entries"]).records("time_entries")
    assert found == [{**entry, "started_time": time_of_day, "ended_time": None}]


@pytest.mark.parametrize(
    ("sent", "flags"),
    [
        ({"access_roles": ["manager", "managed_projects_invoice_drafter"]}, "is_project_manager can_create_invoices"),
        ({"access_roles": ["administrator"]}, "is_admin can_see_rates can_create_projects can_create_invoices"),
        ({"access_roles": []}, ""),
        ({}, None),
    ],
)
def test_the_flags_follow_from_the_access_roles(
    sent: dict[str, Any], flags: str | None, harvest: Harvest, config: dict[str, Any]
) -> None:
    columns = ["is_admin", "is_project_manager", "can_see_rates", "can_create_projects", "can_create_invoices"]
    user = {"id": 1, "updated_at": "2026-01-01T00:00:00Z", **sent}
    one_row(harvest, "users", user)
    expected = {column: None if flags is None else column in flags.split() for column in columns}
    assert sync(config, ["users"]).records("users") == [{**user, **expected}]


def test_a_flag_that_harvest_sends_is_kept(harvest: Harvest, config: dict[str, Any]) -> None:
    user = {"id": 1, "access_roles": ["administrator"], "is_admin": False, "can_see_rates": None}
    one_row(harvest, "users", user)
    [found] = sync(config, ["users"]).records("users")
    implied = {"is_project_manager": False, "can_create_projects": True, "can_create_invoices": True}
    assert found == {**user, **implied}
