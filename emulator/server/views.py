"""What of a row is sent, by the reader's rights and the account's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.account.field_notation import Field, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.account.state import Row
    from emulator.server.permissions import Reader
    from emulator.server.settings import Settings

    View = Callable[[Row], Row]


def view_of(fields_name: str, reader: Reader, settings: Settings) -> View | None:
    """How this reader gets the records of that name; None where they are sent as they are."""
    views: list[View] = []
    fields = fields_of(fields_name)
    if fields_name == "time_entries" and settings.clock_format == "24h":
        views.append(_with_24_hours)
    if fields_name == "time_entries" and not settings.wants_timestamps:
        views.append(lambda row: {**row, "started_time": None, "ended_time": None})
    if fields_name == "users" and settings.sends_user_flags:
        views.append(_with_flags)
    if any(f.needs_right and not reader.may_see(name) for name, f in fields.items()):
        views.append(
            lambda row: {
                name: value
                for name, value in row.items()
                if name not in fields or not fields[name].needs_right or reader.may_see(name)
            }
        )
    if not settings.sends_undocumented and _has_undocumented(fields):
        views.append(lambda row: _documented(row, fields))
    if len(views) < 2:
        return views[0] if views else None

    def view(row: Row) -> Row:
        for each in views:
            row = each(row)
        return row

    return view


def _has_undocumented(fields: dict[str, Field]) -> bool:
    return any(not field.documented or _has_undocumented(field.inside) for field in fields.values())


def _documented(row: Row, fields: dict[str, Field]) -> Row:
    kept = {}
    for name, value in row.items():
        field = fields.get(name)
        if field is None or field.documented:
            is_object = field is not None and field.type == "object" and value is not None
            kept[name] = _documented(value, field.inside) if field and is_object else value
    return kept


def _with_24_hours(row: Row) -> Row:
    return {**row, "started_time": _24h(row["started_time"]), "ended_time": _24h(row["ended_time"])}


def _24h(time: str | None) -> str | None:
    if time is None:
        return None
    hour, minute = time[:-2].split(":")
    return f"{int(hour) % 12 + 12 * time.endswith('pm'):02}:{minute}"


def _with_flags(row: Row) -> Row:
    """The flags of users that Harvest sent until 2022."""
    roles = set(row["access_roles"])
    is_administrator = "administrator" in roles
    return {
        **row,
        "is_admin": is_administrator,
        "is_project_manager": "manager" in roles,
        "can_see_rates": is_administrator or "billable_rates_manager" in roles,
        "can_create_invoices": is_administrator or "managed_projects_invoice_manager" in roles,
    }
