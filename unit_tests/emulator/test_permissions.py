"""Which requests are refused, and what each user may read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests

from emulator import Harvest, Server
from emulator.server.endpoints import ENDPOINTS, Endpoint
from testing.emulator_client import A_YEAR, Client, path_of

INVALID_TOKEN = {
    "error": "invalid_token",
    "error_description": ("The access token provided is expired, revoked, malformed or invalid for other reasons."),
}
ClientOf = Callable[..., Client]


@pytest.fixture
def client_of(server: Server, harvest: Harvest) -> Iterator[ClientOf]:
    """A client of a user of that role, with those permissions."""
    with ExitStack() as stack:

        def make(role: str, *permissions: str) -> Client:
            client = Client(server, harvest, harvest.token_for(role, *permissions))
            stack.enter_context(client.session)
            return client

        yield make


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": None},
        {"Authorization": "Basic abc"},
        {"Harvest-Account-Id": None},
        {"Harvest-Account-Id": "1"},
    ],
)
def test_without_a_valid_token_and_account_the_answer_is_401(headers: dict[str, str], client: Client) -> None:
    answer = client.answer("/clients", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == INVALID_TOKEN
    assert answer.headers["WWW-Authenticate"].startswith(
        'Bearer realm="Rack::OAuth2 Protected Resources", error="invalid_token", error_description="The access'
    )


def test_a_wrong_account_may_be_404(harvest: Harvest, client: Client) -> None:
    harvest.wrong_account_status = 404
    answer = client.answer("/clients", headers={"Harvest-Account-Id": "1"})
    assert (answer.status_code, answer.json()) == (404, {"status": 404, "error": "Not Found"})


def test_without_a_user_agent_the_answer_is_400(client: Client) -> None:
    client.session.headers["User-Agent"] = ""
    assert client.answer("/clients").status_code == 400


def test_credentials_may_stand_in_the_query(harvest: Harvest, server: Server) -> None:
    params: dict[str, str | int] = {"access_token": harvest.token, "account_id": harvest.account_id}
    assert requests.get(f"{server.api_url}/users/me", params=params, timeout=5).status_code == 200


def test_an_unknown_record_is_json_and_an_unknown_path_a_page(client: Client) -> None:
    for path in ("/invoices/1", "/invoices/1/messages"):
        answer = client.answer(path)
        assert (answer.status_code, answer.json()) == (404, {"status": 404, "error": "Not Found"})
    for path in ("/nothing", "/invoices//messages"):
        answer = client.answer(path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/invoices/1/messages", "/invoices/1/payments", "/users/1/billable_rates"])
def test_children_of_an_unknown_parent_are_not_found(path: str, client: Client) -> None:
    assert client.answer(path).status_code == 404


FOR_ALL = {"time_entries", "expenses", "report_project_budget", "pto_requests"}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=[endpoint.name for endpoint in ENDPOINTS])
def test_a_member_reads_their_own_and_is_refused_the_rest(
    endpoint: Endpoint, harvest: Harvest, client_of: ClientOf
) -> None:
    answer = client_of("member").answer(path_of(endpoint, harvest), params=A_YEAR)
    if endpoint.name in FOR_ALL or endpoint.name.startswith(("report_time", "report_expenses")):
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert answer.json() == {"message": "Not authorized!"}
        assert answer.headers["Hint"] == "Not authorized!"


INVOICE_LISTS = {"invoices", "invoice_messages", "invoice_payments", "report_uninvoiced"}
OPENED = {
    "client_and_task_manager": {"clients", "contacts", "tasks"},
    "managed_projects_invoice_drafter": INVOICE_LISTS,
    "managed_projects_invoice_manager": INVOICE_LISTS,
    "estimates_manager": {"estimates", "estimate_messages"},
    "billable_rates_manager": {"billable_rates"},
}


@pytest.mark.slow
@pytest.mark.parametrize("permission", OPENED)
def test_a_managers_permission_opens_its_lists_and_no_others(
    permission: str, harvest: Harvest, client_of: ClientOf
) -> None:
    def readable(client: Client) -> set[str]:
        return {
            endpoint.name
            for endpoint in ENDPOINTS
            if endpoint.name != "teammates"
            and client.answer(path_of(endpoint, harvest), params=A_YEAR).status_code == 200
        }

    plain = readable(client_of("manager"))
    assert plain == FOR_ALL | {
        *("users", "projects", "user_assignments", "task_assignments", "invoice_item_categories"),
        *(endpoint.name for endpoint in ENDPOINTS if endpoint.name.startswith(("report_time", "report_expenses"))),
    }
    assert readable(client_of("manager", permission)) == plain | OPENED[permission]


def test_balances_are_those_of_oneself_and_ones_teammates(harvest: Harvest, client_of: ClientOf) -> None:
    users = [row["id"] for row in harvest.listed("users")]
    for role, more in (("member", 0), ("manager", 2), ("administrator", 5)):
        client = client_of(role)
        me = client.get("/users/me")["id"]
        answers = {user: client.answer("/pto/balances", params={"user_id": user}) for user in users}
        open_ = [user for user, answer in answers.items() if answer.status_code == 200]
        assert (me in open_, len(open_)) == (True, 1 + more)
        assert {answer.status_code for answer in answers.values()} <= {200, 403}


@pytest.mark.parametrize("name", ["time_entries", "expenses"])
def test_time_and_expenses_are_those_in_ones_sight(name: str, harvest: Harvest, client_of: ClientOf) -> None:
    everything = harvest.listed(name)
    member, manager = client_of("member"), client_of("manager")
    me = member.get("/users/me")["id"]
    assert [row["id"] for row in member.get(f"/{name}")[name]] == [
        row["id"] for row in everything if row["user"]["id"] == me
    ]
    boss = manager.get("/users/me")["id"]
    team = {boss, *(row["id"] for row in harvest.children("teammates", boss))}
    managed = {
        row["project"]["id"]
        for row in harvest.listed("user_assignments")
        if row["user"]["id"] == boss and row["is_project_manager"] and row["is_active"]
    }
    seen = [row["id"] for row in everything if row["user"]["id"] in team or row["project"]["id"] in managed]
    assert [row["id"] for row in manager.get(f"/{name}")[name]] == seen
    assert 0 < len(seen) < len(everything)


def test_rates_vanish_without_the_right_to_see_them(harvest: Harvest, client_of: ClientOf) -> None:
    member = client_of("member")
    assert not {"default_hourly_rate", "cost_rate"} & member.get("/users/me").keys()
    assert not {"billable_rate", "cost_rate"} & member.get("/time_entries")["time_entries"][0].keys()
    assert not {"currency", "billable_amount"} & member.get("/reports/time/tasks", **A_YEAR)["results"][0].keys()
    manager = client_of("manager", "billable_rates_manager").get("/time_entries")["time_entries"][0]
    assert "billable_rate" in manager
    assert "cost_rate" not in manager


def test_money_budgets_vanish_without_rights_and_hours_stay(harvest: Harvest, client_of: ClientOf) -> None:
    rows = client_of("manager").get("/reports/project_budget")["results"]
    assert {("budget" in row) for row in rows if row["budget_by"] in {"project_cost", "task_fees"}} <= {False}
    assert {("budget" in row) for row in rows if row["budget_by"] in {"project", "task", "person"}} == {True}


def test_teammates_of_one_who_manages_nobody_are_refused(harvest: Harvest, client: Client) -> None:
    member = next(row for row in harvest.listed("users") if row["access_roles"] == ["member"])
    assert client.answer(f"/users/{member['id']}/teammates").status_code == 422


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(
    ("module", "paths"),
    [
        ("expense", ["/expenses", "/expense_categories", "/reports/expenses/team"]),
        ("invoice", ["/invoices", "/invoice_item_categories", "/reports/uninvoiced"]),
        ("estimate", ["/estimates", "/estimate_item_categories"]),
        ("pto", ["/pto/types", "/pto/requests", "/pto/assignments", "/pto/balances"]),
    ],
)
def test_a_module_that_is_off_answers_so(
    module: str, paths: list[str], status: int, harvest: Harvest, client: Client
) -> None:
    harvest.modules.remove(module)
    harvest.module_off_status = status
    assert f"{module}_feature" in client.get("/company") or module == "pto"
    harvest.shows_hidden_modules = True
    assert {client.answer(path).status_code for path in paths} == {status}
    assert client.get("/company")[f"{module}_feature"] is False
    assert client.answer("/time_entries").status_code == 200
