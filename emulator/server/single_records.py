"""What the endpoints of one record answer to a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from emulator.account.state import CHILDREN, full_name
from emulator.server.errors import not_found
from emulator.server.lists import admit, known
from emulator.server.views import view_of

if TYPE_CHECKING:
    from starlette.requests import Request as Incoming

    from emulator.account.state import Row
    from emulator.harvest import Harvest
    from emulator.server.permissions import Reader

_PLAIN = (
    *("clients", "contacts", "invoices", "estimates", "invoice_item_categories", "estimate_item_categories"),
    *("expense_categories", "expenses", "tasks", "time_entries", "projects", "roles", "users"),
)
# Table and path of each record that can be asked for by its id.
RECORDS = (
    *((table, f"/{table}/{{id}}") for table in _PLAIN),
    ("user_assignments", "/projects/{parent}/user_assignments/{id}"),
    ("task_assignments", "/projects/{parent}/task_assignments/{id}"),
    ("billable_rates", "/users/{parent}/billable_rates/{id}"),
    ("cost_rates", "/users/{parent}/cost_rates/{id}"),
)


def one_record(table: str, harvest: Harvest, reader: Reader, incoming: Incoming) -> bytes:
    """One record by its id, to whom its list would show it."""
    admit(table, harvest, reader, incoming)
    parent, text = incoming.path_params.get("parent", ""), incoming.path_params["id"]
    rows = harvest.state.table(table, known(harvest, "users", parent) if table in CHILDREN else None).rows
    row = rows.get(int(text)) if text.isdecimal() else None
    sees = reader.sees(table)
    if row is None or (sees and not sees(row)) or (parent and "project" in row and str(row["project"]["id"]) != parent):
        raise not_found()
    return _sent(table, row, harvest, reader)


def me(harvest: Harvest, reader: Reader, incoming: Incoming) -> bytes:
    """The user whose token it is."""
    admit("users_me", harvest, reader, incoming)
    return _sent("users", reader.user, harvest, reader)


def company(harvest: Harvest, reader: Reader, incoming: Incoming) -> bytes:
    """The account itself: it has neither id nor timestamps."""
    admit("company", harvest, reader, incoming)
    return _sent("company", company_row(harvest), harvest, reader)


def company_row(harvest: Harvest) -> Row:
    """The account's settings."""
    domain = f"{harvest.subdomain}.harvestapp.com"
    return {
        "base_uri": f"https://{domain}",
        "full_domain": domain,
        "name": "Northlight Studio",
        "is_active": True,
        "week_start_day": harvest.week_start_day,
        "wants_timestamp_timers": harvest.wants_timestamps,
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
        **{f"{module}_feature": module in harvest.modules for module in _FEATURES},
        "currency": "EUR",
        "saml_sign_in_required": False,
        "day_entry_notes_required": False,
    }


_FEATURES = ("expense", "invoice", "estimate", "approval", "team")


def message_template(harvest: Harvest, reader: Reader, incoming: Incoming) -> bytes:
    """The message that Harvest proposes for an invoice. It is no data of the account."""
    admit("invoice_message_template", harvest, reader, incoming)
    invoice = harvest.state.row("invoices", known(harvest, "invoices", incoming.path_params["parent"]))
    flags = {name: incoming.query_params.get(name) == "true" for name in ("reminder", "thank_you")}
    subject = f"Invoice #{invoice['number']}"
    body = f"Hello,\n\nthis is about invoice {invoice['number']}.\n\n{full_name(reader.user)}\n"
    return orjson.dumps({"invoice_id": invoice["id"], "subject": subject, "body": body, **flags})


def _sent(name: str, row: Row, harvest: Harvest, reader: Reader) -> bytes:
    view = view_of(name, reader, harvest)
    return orjson.dumps(view(row) if view else row)
