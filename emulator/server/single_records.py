"""The endpoints that answer with one record: a parent of a list, the user of the token, and the company."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from emulator.account.paid_time_off import balances
from emulator.server.errors import not_authorized, not_found, unprocessable
from emulator.server.lists import admit, row_with_id
from emulator.server.settings import HIDDEN_MODULES, MODULES
from emulator.server.views import view_of

if TYPE_CHECKING:
    from starlette.requests import Request as Incoming

    from emulator.account.state import Row
    from emulator.server.hosted_account import HostedAccount
    from emulator.server.permissions import ApiUser


PARENTS = ("invoices", "estimates", "users")


def parent(table: str, harvest: HostedAccount, user: ApiUser, incoming: Incoming) -> bytes:
    """The invoice, estimate or user with that id, if the user sees it in its list."""
    admit(table, harvest, user)
    row, sees = row_with_id(harvest, table, incoming.path_params["id"]), user.sees(table)
    if sees and not sees(row):
        raise not_found()
    return _sent(table, row, harvest, user)


def me(harvest: HostedAccount, user: ApiUser, _: Incoming) -> bytes:
    """The user of the token."""
    admit("users_me", harvest, user)
    return _sent("users", user.row, harvest, user)


def time_off_balances(harvest: HostedAccount, user: ApiUser, incoming: Incoming) -> bytes:
    """How much time off one user has left in a year."""
    admit("pto_balances", harvest, user)
    asked = incoming.query_params
    today = harvest.clock.now().date()
    year = asked.get("year", str(today.year))
    if not (asked.get("user_id", "").isdecimal() and year.isdecimal()):
        raise unprocessable("user_id is required")
    row, sees = row_with_id(harvest, "users", asked["user_id"]), user.sees("users")
    if sees and not sees(row):
        raise not_authorized()
    return orjson.dumps(balances(harvest.state, row["id"], int(year), today.isoformat()))


def _sent(table: str, row: Row, harvest: HostedAccount, user: ApiUser) -> bytes:
    view = view_of(table, user, harvest)
    return orjson.dumps(view(row) if view else row)


def company(harvest: HostedAccount, user: ApiUser, _: Incoming) -> bytes:
    """The company, which has neither id nor timestamps."""
    admit("company", harvest, user)
    return orjson.dumps(company_row(harvest))


def company_row(harvest: HostedAccount) -> Row:
    """The company's record."""
    modules = (*MODULES, *HIDDEN_MODULES) if harvest.shows_hidden_modules else MODULES
    domain = f"{harvest.subdomain}.harvestapp.com"
    return {
        "base_uri": f"https://{domain}",
        "full_domain": domain,
        "name": "Northlight Studio",
        "is_active": True,
        "week_start_day": harvest.week_start_day,
        "wants_timestamp_timers": True,
        "time_format": "decimal",
        "date_format": "%d/%m/%Y",
        "plan_type": "simple-v4",
        "clock": harvest.clock_format,
        "currency_code_display": "iso_code_none",
        "currency_symbol_display": "symbol_before",
        "decimal_symbol": ".",
        "thousands_separator": ",",
        "color_scheme": "blue",
        "weekly_capacity": 126_000,
        **{f"{module}_feature": module in harvest.modules for module in modules},
        "currency": "EUR",
        "saml_sign_in_required": False,
        "day_entry_notes_required": False,
    }
