"""The answer of each list: a page of the rows that the user may see and the filters choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from emulator.account.paid_time_off import assignments
from emulator.account.reports import EXPENSES, TIME, budget_report, expense_report, time_report, uninvoiced_report
from emulator.server.endpoints import BY_NAME
from emulator.server.errors import not_authorized, not_found, unprocessable
from emulator.server.filters import business_date, condition_of
from emulator.server.paging import Page
from emulator.server.views import view_of

if TYPE_CHECKING:
    from starlette.requests import Request as Incoming

    from emulator.account.state import Row
    from emulator.server.endpoints import Endpoint
    from emulator.server.hosted_account import HostedAccount
    from emulator.server.permissions import ApiUser

_MODULES = (
    ("expense", ("expenses", "expense_categories", "report_expenses")),
    ("invoice", ("invoice", "report_uninvoiced")),
    ("estimate", ("estimate",)),
    ("pto", ("pto_",)),
)


def page_of(endpoint: Endpoint, harvest: HostedAccount, user: ApiUser, incoming: Incoming) -> bytes:
    """One page of a list, in its envelope."""
    admit(endpoint.name, harvest, user)
    params = dict(incoming.query_params)
    rows = _rows(endpoint, harvest, user, incoming.path_params.get("parent", ""), params)
    page = Page(endpoint, rows, params, harvest.page_size_cap)
    view = view_of(endpoint.name, user, harvest)
    shown = [view(row) for row in page.rows] if view else page.rows
    if endpoint.style == "bare":
        return orjson.dumps({endpoint.key: rows})
    url = f"{incoming.url.scheme}://{incoming.url.netloc}{incoming.url.path}"
    envelope = page.envelope(url, totals_in_the_middle=harvest.totals_in_the_middle)
    return orjson.dumps({endpoint.key: shown, **envelope})


def admit(name: str, harvest: HostedAccount, user: ApiUser) -> None:
    """Raise `RefusedError` if the endpoint's module is off or the user may not read it."""
    for module, names in _MODULES:
        if name.startswith(names) and module not in harvest.modules:
            raise not_found() if harvest.module_off_status == 404 else not_authorized()
    if not user.may_read(name):
        raise not_authorized()


def _rows(endpoint: Endpoint, harvest: HostedAccount, user: ApiUser, parent: str, params: dict[str, str]) -> list[Row]:
    """All rows of a list that the user may see and the filters choose, in Harvest's order."""
    state = harvest.state
    if endpoint.name.startswith("report_"):
        return _report(endpoint.name, harvest, user, params)
    rows = _all_rows(endpoint, harvest, parent)
    if harvest.rearrange is not None:
        rows = harvest.rearrange(endpoint.name, rows)
    sees = user.sees(endpoint.name)
    test = condition_of(endpoint.name, endpoint.filters, params, inclusive=harvest.since_is_inclusive)
    if sees is None and test is None:
        return rows

    def chosen() -> list[Row]:
        return [row for row in rows if (test is None or test(row)) and (sees is None or sees(row))]

    asked = tuple(sorted((key, value) for key, value in params.items() if key in endpoint.filters.split()))
    key = (endpoint.name, parent, asked, harvest.since_is_inclusive, user.row["id"])
    found: list[Row] = state.computed(key, chosen)
    return found


def _all_rows(endpoint: Endpoint, harvest: HostedAccount, parent: str) -> list[Row]:
    """All rows of a list. Raises `RefusedError` if its parent does not exist or has no such list."""
    if endpoint.name == "pto_assignments":
        return assignments(harvest.state)
    if "{parent}" not in endpoint.path:
        return harvest.state.table(endpoint.name).listed()
    row = row_with_id(harvest, endpoint.path.split("/")[1], parent)
    if endpoint.name == "teammates" and "manager" not in row["access_roles"]:
        raise unprocessable("User must be a manager")
    return harvest.rows_below(endpoint.name, row["id"])


def row_with_id(harvest: HostedAccount, table: str, text: str) -> Row:
    """The row of a table with the id that a path names. Raises `RefusedError`, 404, if it does not exist."""
    row = harvest.state.table(table).rows.get(int(text)) if text.isdecimal() else None
    if row is None:
        raise not_found()
    return row


def _report(name: str, harvest: HostedAccount, user: ApiUser, params: dict[str, str]) -> list[Row]:
    state = harvest.state
    projects = _projects_of(harvest, user)
    if name == "report_project_budget":
        test = condition_of("projects", "is_active", params, inclusive=True)
        chosen = [project for project in projects if test is None or test(project)]
        month = harvest.clock.now().strftime("%Y-%m")
        return budget_report(state, chosen, month, sees_money=user.may_see("billable_amount"))
    _check_span(params)
    span = {key: params[key] for key in ("from", "to")}
    include_fixed_fee = params.get("include_fixed_fee", str(name == "report_uninvoiced").lower()) == "true"
    if name in TIME:
        entries = _seen(harvest, user, "time_entries", span)
        return time_report(name, state, entries, include_fixed_fee=include_fixed_fee)
    expenses = _seen(harvest, user, "expenses", span)
    if name in EXPENSES:
        return expense_report(name, state, expenses)
    entries = _seen(harvest, user, "time_entries", span)
    return uninvoiced_report(state, projects, entries, expenses, include_fixed_fee=include_fixed_fee)


def _projects_of(harvest: HostedAccount, user: ApiUser) -> list[Row]:
    """The projects whose budget a user may see: an administrator all, others what they manage or is shared."""
    projects = harvest.state.table("projects").listed()
    if user.is_administrator:
        return projects
    managed = user.managed_projects if user.is_manager else frozenset()
    return [project for project in projects if project["id"] in managed or project["show_budget_to_all"]]


def _check_span(params: dict[str, str]) -> None:
    missing = [f"{key} is required" for key in ("from", "to") if not params.get(key)]
    if missing:
        raise unprocessable(*missing)
    if (business_date(params["to"]) - business_date(params["from"])).days > 365:
        raise unprocessable("The report timeframe cannot exceed 1 year (365 days)")


def _seen(harvest: HostedAccount, user: ApiUser, table: str, span: dict[str, str]) -> list[Row]:
    return _rows(BY_NAME[table], harvest, user, "", span)
