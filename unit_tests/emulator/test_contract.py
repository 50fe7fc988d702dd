"""Whatever the server sends is what the contract says."""

from __future__ import annotations

import pytest

from emulator import Harvest
from emulator.account.field_notation import fields_of
from emulator.account.fields import BY_NAME, ENDPOINTS, FIELDS, Endpoint
from unit_tests.emulator.conformance import differences
from unit_tests.emulator.conftest import Client

SPAN = {"from": "20250302", "to": "20260302"}


def path_of(endpoint: Endpoint, harvest: Harvest) -> str:
    """The path of a list, of a parent that has the most rows of it."""
    table = endpoint.path.split("/")[1]
    if "{parent}" not in endpoint.path:
        return endpoint.path

    def size(row_id: int) -> int:
        if endpoint.name.startswith("project_") and table == "projects":
            return sum(row["project"]["id"] == row_id for row in harvest.listed(endpoint.key))
        return len(harvest.children(endpoint.name, row_id))

    return endpoint.path.format(parent=max((row["id"] for row in harvest.listed(table)), key=size))


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=[endpoint.name for endpoint in ENDPOINTS])
def test_every_row_of_every_list_has_the_fields_and_types_of_the_contract(
    endpoint: Endpoint, harvest: Harvest, client: Client
) -> None:
    harvest.work(days=2)
    params = SPAN if endpoint.name.startswith("report") else {}
    body = client.get(path_of(endpoint, harvest), **params)
    assert list(body) == [
        *(endpoint.key, "per_page", "total_pages", "total_entries", "next_page", "previous_page", "page", "links")
    ]
    assert body[endpoint.key], "an empty list proves nothing"
    found = {line for row in body[endpoint.key] for line in differences(row, fields_of(endpoint.fields))}
    assert not found
    assert list(body[endpoint.key][0]) == [key for key in fields_of(endpoint.fields) if key in body[endpoint.key][0]]


@pytest.mark.parametrize("name", ["company", "users/me"])
def test_single_objects_have_the_fields_and_types_of_the_contract(name: str, client: Client) -> None:
    fields = fields_of("company" if name == "company" else "users")
    assert differences(client.get(f"/{name}"), fields) == []


def test_the_message_template_has_the_fields_of_the_contract(harvest: Harvest, client: Client) -> None:
    invoice = harvest.listed("invoices")[0]["id"]
    template = client.get(f"/invoices/{invoice}/messages/new", reminder="true")
    assert differences(template, fields_of("invoice_message_template")) == []
    assert template["reminder"] is True


@pytest.mark.parametrize("name", FIELDS)
def test_every_line_of_the_contract_can_be_read(name: str) -> None:
    assert fields_of(name)


def test_the_check_sees_what_is_wrong() -> None:
    fields = fields_of("contacts")
    wrong = {"id": "7", "client": {"id": None}, "created_at": "2026-03-02 09:00:00", "extra": 1}
    found = differences(wrong, fields)
    assert {"id: '7' is no int", "client.name: missing", "client.id: null", "extra: not in the contract"} <= set(found)
    assert "created_at: '2026-03-02 09:00:00' is no stamp" in found


RECORDS = [
    *("clients", "contacts", "invoices", "estimates", "invoice_item_categories", "estimate_item_categories"),
    *("expense_categories", "expenses", "tasks", "time_entries", "projects", "roles", "users"),
]


@pytest.mark.parametrize("table", RECORDS)
def test_a_record_by_its_id_is_the_record_of_the_list(table: str, harvest: Harvest, client: Client) -> None:
    for row in harvest.listed(table)[:3]:
        assert client.get(f"/{table}/{row['id']}") == row


def test_records_below_a_parent_can_be_asked_for_by_id(harvest: Harvest, client: Client) -> None:
    for table in ("user_assignments", "task_assignments"):
        row = harvest.listed(table)[0]
        assert client.get(f"/projects/{row['project']['id']}/{table}/{row['id']}") == row
    user = harvest.listed("users")[-1]["id"]
    for table in ("billable_rates", "cost_rates"):
        row = harvest.children(table, user)[0]
        assert client.get(f"/users/{user}/{table}/{row['id']}") == row


@pytest.mark.parametrize("name", ["clients", "time_entries", "contacts", "users", "expenses", "projects"])
def test_without_undocumented_fields_only_documented_ones_are_sent(name: str, harvest: Harvest, client: Client) -> None:
    harvest.sends_undocumented = False
    documented = {key for key, field in fields_of(name).items() if field.documented}
    rows = client.get(BY_NAME[name].path)[name]
    assert {key for row in rows for key in row} == documented
    assert rows == harvest.listed(name)
    if name == "time_entries":
        assert rows[0]["client"].keys() == {"id", "name"}


def test_the_alias_of_the_api_answers_too(harvest: Harvest, client: Client) -> None:
    url = f"http://127.0.0.1:{client.answer('/clients').url.split(':')[2].split('/')[0]}/api/v2/clients"
    assert client.get(url)["clients"] == harvest.listed("clients")
