"""Both styles of paging give every row once, and shift, or not, as Harvest's do."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from emulator import Harvest
from testing.emulator_client import Client

CURSOR = ("clients", "contacts", "projects", "tasks", "roles", "users", "user_assignments", "task_assignments")
PAGE = ("invoices", "estimates", "expenses", "time_entries")


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("name", [*CURSOR, *PAGE])
def test_following_next_gives_every_row_once_in_order(name: str, size: int, harvest: Harvest, client: Client) -> None:
    pages = client.pages(f"/{name}", per_page=size)
    assert [row for page in pages for row in page[name]] == harvest.listed(name)
    assert all(page["total_entries"] == len(harvest.listed(name)) for page in pages)
    assert all(len(page[name]) == size for page in pages[:-1])


@pytest.mark.parametrize("name", CURSOR)
def test_only_the_first_and_the_last_page_by_cursor_have_numbers(name: str, client: Client) -> None:
    first, *middle, last = client.pages(f"/{name}", per_page=1)
    assert (first["page"], first["next_page"], first["previous_page"]) == (1, 2, None)
    for page in middle:
        assert (page["page"], page["next_page"], page["previous_page"]) == (None, None, None)
    assert (last["page"], last["next_page"]) == (last["total_pages"], None)


def test_totals_of_middle_pages_can_be_null(harvest: Harvest, client: Client) -> None:
    harvest.totals_in_the_middle = False
    first, middle, *_, last = client.pages("/tasks", per_page=2)
    assert (middle["total_pages"], middle["total_entries"]) == (None, None)
    assert first["total_entries"] == last["total_entries"] == len(harvest.listed("tasks"))


def test_a_cursor_is_the_id_after_which_to_go_on(client: Client) -> None:
    page = client.get("/clients", per_page=2)
    cursor = dict(parse_qsl(urlsplit(page["links"]["next"]).query))["cursor"]
    assert json.loads(base64.b64decode(cursor))["after"] == {"id": page["clients"][-1]["id"]}


def test_every_page_by_number_has_its_numbers_and_links(client: Client) -> None:
    pages = client.pages("/time_entries", per_page=50)
    assert [page["page"] for page in pages] == [1, 2, 3]
    assert [page["next_page"] for page in pages] == [2, 3, None]
    assert [page["previous_page"] for page in pages] == [None, 1, 2]
    assert pages[1]["links"]["previous"].endswith("?page=1&per_page=50&ref=previous")


def test_a_list_of_paid_time_off_may_have_numbers_and_no_links(harvest: Harvest, client: Client) -> None:
    pages, number = [], 1
    while number:
        pages.append(client.get("/pto/requests", per_page=7, page=number))
        number = pages[-1]["next_page"]
    assert [row for page in pages for row in page["pto_requests"]] == harvest.listed("pto_requests")
    assert {page["total_entries"] for page in pages} == {len(harvest.listed("pto_requests"))}


def test_links_are_absolute_sorted_and_keep_every_filter(harvest: Harvest, client: Client) -> None:
    page = client.get("/time_entries", to="2026-03-31", per_page=5, **{"from": "2024-01-01"})
    for which, link in page["links"].items():
        if link is not None:
            parts = urlsplit(link)
            query = parse_qsl(parts.query)
            assert f"{parts.scheme}://{parts.netloc}{parts.path}".startswith("http://127.0.0.1:")
            assert [key for key, _ in query] == ["from", "page", "per_page", "ref", "to"]
            assert dict(query)["ref"] == which


def test_links_name_the_host_that_was_asked(harvest: Harvest, client: Client) -> None:
    answer = client.answer("/clients", headers={"Host": "harvest.example:8080"})
    assert answer.json()["links"]["first"].startswith("http://harvest.example:8080/v2/clients?")


def test_no_link_carries_a_token(harvest: Harvest, client: Client) -> None:
    client.session.headers.pop("Authorization")
    page = client.get("/tasks", access_token=harvest.token, account_id=harvest.account_id, per_page=2)
    assert "token" not in page["links"]["next"]


def test_an_empty_list_has_one_page(harvest: Harvest, client: Client) -> None:
    page = client.get("/clients", updated_since="2030-01-01T00:00:00Z")
    assert (page["clients"], page["total_entries"], page["total_pages"], page["page"]) == ([], 0, 1, 1)
    assert page["links"]["next"] is None
    assert "page=1" in page["links"]["last"]


def test_past_the_end_is_an_empty_page(client: Client) -> None:
    page = client.get("/invoices", page=99)
    assert (page["invoices"], page["links"]["next"]) == ([], None)


def test_a_list_by_cursor_still_takes_page_numbers(harvest: Harvest, client: Client) -> None:
    page = client.get("/tasks", page=2, per_page=3)
    assert page["tasks"] == harvest.listed("tasks")[3:6]
    assert (page["page"], page["next_page"], page["previous_page"]) == (2, 3, 1)


def test_the_cursor_wins_over_the_page_number(harvest: Harvest, client: Client) -> None:
    link = client.get("/tasks", per_page=3)["links"]["next"]
    assert client.get(f"{link}&page=1")["tasks"] == harvest.listed("tasks")[3:6]


@pytest.mark.parametrize(("name", "size"), [("clients", 2000), ("time_entries", 2000), ("invoices", 100)])
def test_the_page_size_has_the_documented_default(name: str, size: int, client: Client) -> None:
    assert client.get(f"/{name}")["per_page"] == size


@pytest.mark.parametrize("size", ["2001", "0", "-1", "many"])
def test_a_page_size_out_of_bounds_is_refused(size: str, client: Client) -> None:
    answer = client.answer("/clients", params={"per_page": size})
    assert answer.status_code == 422
    assert "per_page" in answer.json()["message"]


def test_a_broken_cursor_is_refused(client: Client) -> None:
    assert client.answer("/clients", params={"cursor": "nonsense"}).status_code == 422


@pytest.mark.parametrize("name", ["clients", "time_entries"])
def test_the_cap_makes_many_pages_of_few_rows(name: str, harvest: Harvest, client: Client) -> None:
    harvest.page_size_cap = 3
    pages = client.pages(f"/{name}", per_page=2000)
    assert max(len(page[name]) for page in pages) == 3
    assert [row for page in pages for row in page[name]] == harvest.listed(name)


def test_pages_by_number_shift_when_a_row_comes_in(harvest: Harvest, client: Client) -> None:
    first = client.get("/time_entries", per_page=10)
    harvest.add("time_entries")
    second = client.get(first["links"]["next"])
    assert second["time_entries"][0]["id"] == first["time_entries"][-1]["id"]
    assert second["total_entries"] == first["total_entries"] + 1


def test_pages_by_number_skip_a_row_when_one_goes(harvest: Harvest, client: Client) -> None:
    before = [row["id"] for row in harvest.listed("time_entries")]
    first = client.get("/time_entries", per_page=10)
    harvest.delete("time_entries", before[0])
    second = client.get(first["links"]["next"])
    assert second["time_entries"][0]["id"] == before[11]


def test_pages_by_cursor_do_not_shift(harvest: Harvest, client: Client) -> None:
    before = [row["id"] for row in harvest.listed("contacts")]
    first = client.get("/contacts", per_page=2)
    harvest.add("contacts")
    harvest.delete("contacts", before[1])  # the row at which the cursor stands
    assert client.get(first["links"]["next"])["contacts"][0]["id"] == before[2]


def test_a_test_may_change_the_account_before_a_page(harvest: Harvest, client: Client) -> None:
    total = len(harvest.listed("time_entries"))

    def add_one(_: object) -> None:
        harvest.add("time_entries")

    harvest.before_page = add_one
    assert [page["total_entries"] for page in client.pages("/time_entries", per_page=60)] == [
        *(total + 1, total + 2, total + 3)
    ]


def test_rates_are_listed_from_the_oldest_on_page_by_page(harvest: Harvest, client: Client) -> None:
    user = next(row["id"] for row in harvest.listed("users") if len(harvest.children("billable_rates", row["id"])) == 2)
    harvest.add("billable_rates", user_id=user, amount=130.0)
    pages = client.pages(f"/users/{user}/billable_rates", per_page=1)
    rates = [row for page in pages for row in page["billable_rates"]]
    assert [rate["start_date"] for rate in rates] == [None, "2025-07-01", "2026-03-02"]


@pytest.mark.parametrize(("name", "field"), [("time_entries", "spent_date"), ("invoices", "issue_date")])
def test_business_lists_are_sorted_by_business_date(name: str, field: str, client: Client) -> None:
    places = [(row[field], row["id"]) for row in client.get(f"/{name}", per_page=2000)[name]]
    assert places == sorted(places, reverse=True)
