"""Which fields of a row the API sends, and how, by the user's rights and the account's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.account.field_notation import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.account.state import Row
    from emulator.server.permissions import ApiUser
    from emulator.server.settings import Settings

    View = Callable[[Row], Row]


def view_of(name: str, user: ApiUser, settings: Settings) -> View | None:
    """The function that turns a row of that name into the record that this user gets; None if it is the row itself."""
    has_24_hours = name == "time_entries" and settings.clock_format == "24h"
    hidden = {key for key, field in fields_of(name).items() if field.needs_right and not user.may_see(key)}
    if not (has_24_hours or hidden):
        return None

    def view(row: Row) -> Row:
        if has_24_hours:
            row = {**row, "started_time": _24h(row["started_time"]), "ended_time": _24h(row["ended_time"])}
        return {key: value for key, value in row.items() if key not in hidden}

    return view


def _24h(time: str | None) -> str | None:
    if time is None:
        return None
    hour, minute = time[:-2].split(":")
    return f"{int(hour) % 12 + 12 * time.endswith('pm'):02}:{minute}"
