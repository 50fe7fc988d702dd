"""Every record that the server sends has the documented fields, in their order and of their types."""

from __future__ import annotations

import pytest

from emulator import Harvest
from emulator.account.field_notation import fields_of
from emulator.account.fields import FIELDS
from emulator.server.endpoints import ENDPOINTS, Endpoint
from testing.emulator_client import A_YEAR, Client, path_of
from testing.field_check import differences

ENVELOPE = ("per_page", "total_pages", "total_entries", "next_page", "previous_page", "page", "links")
ENVELOPES = {"number": ("per_page", "total_entries", "next_page", "page"), "bare": ()}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=[endpoint.name for endpoint in ENDPOINTS])
def test_every_row_of_every_list_has_its_fields_and_types(endpoint: Endpoint, harvest: Harvest, client: Client) -> None:
    harvest.work(days=2)
    params = A_YEAR if endpoint.name.startswith("report") else {}
    body = client.get(path_of(endpoint, harvest), **params)
    assert list(body) == [endpoint.key, *ENVELOPES.get(endpoint.style, ENVELOPE)]
    assert body[endpoint.key], "an empty list proves nothing"
    found = {line for row in body[endpoint.key] for line in differences(row, fields_of(endpoint.name))}
    assert not found
    assert list(body[endpoint.key][0]) == [key for key in fields_of(endpoint.name) if key in body[endpoint.key][0]]


@pytest.mark.parametrize("name", ["company", "users/me"])
def test_single_objects_have_their_fields_and_types(name: str, client: Client) -> None:
    fields = fields_of("company" if name == "company" else "users")
    assert differences(client.get(f"/{name}"), fields) == []


@pytest.mark.parametrize("name", FIELDS)
def test_the_notation_of_every_record_can_be_read(name: str) -> None:
    assert fields_of(name)


def test_the_check_sees_what_is_wrong() -> None:
    fields = fields_of("contacts")
    wrong = {"id": "7", "client": {"id": None}, "created_at": "2026-03-02 09:00:00", "extra": 1}
    found = differences(wrong, fields)
    assert {"id: '7' is no int", "client.name: missing", "client.id: null", "extra: unknown"} <= set(found)
    assert "created_at: '2026-03-02 09:00:00' is no stamp" in found


@pytest.mark.parametrize("table", ["invoices", "estimates", "users"])
def test_a_record_by_its_id_is_the_record_of_the_list(table: str, harvest: Harvest, client: Client) -> None:
    for row in harvest.listed(table)[:3]:
        assert client.get(f"/{table}/{row['id']}") == row
