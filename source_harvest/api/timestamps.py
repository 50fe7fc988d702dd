"""Timestamps in Harvest's format, and the rows that changed since one."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import requests

Row = dict[str, Any]
"""A row of one of Harvest's lists."""

# A `Date` header of another year is wrong: Harvest began in 2006.
YEARS = range(2006, 2101)


def timestamp(moment: datetime) -> str:
    """A datetime in Harvest's format: "2024-01-31T10:00:00Z"."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def second_before(moment: str) -> str:
    """The timestamp one second earlier, for filters whose bound Harvest may or may not include."""
    return timestamp(datetime.fromisoformat(moment.replace("Z", "+00:00")) - timedelta(seconds=1))


def sent_at(response: requests.Response) -> datetime | None:
    """When Harvest sent a response, from its `Date` header: in UTC and whole seconds.

    None if the header is missing or impossible.
    """
    try:
        sent = parsedate_to_datetime(response.headers["Date"])
        sent = sent.replace(tzinfo=sent.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None
    return sent if sent.year in YEARS else None


def changed_since(rows: list[Row], moment: str | None) -> list[Row]:
    """The rows updated at or after a moment ("2024-01-31T10:00:00Z", whole seconds); all of them for None.

    A row without `updated_at` counts as changed.
    """
    return rows if moment is None else [row for row in rows if is_changed_since(row, moment)]


def is_changed_since(row: Row, moment: str) -> bool:
    """Whether a row was updated at or after a moment, or has no `updated_at`."""
    updated = row.get("updated_at")
    return type(updated) is not str or not updated or updated[:19] >= moment[:19]
