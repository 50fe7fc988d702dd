"""What each table is to hold where reports come by year, as they do in most of the tests from outside."""

from typing import Any

from emulator import Harvest
from unit_tests import tables as by_month
from unit_tests.reckoning import reports

Row = dict[str, Any]

# A first read of nine reports by month takes more than the 100 requests that Harvest allows in 15 minutes.
BY_YEAR = {"report_period": "year"}

KEYS = {**by_month.KEYS, "deleted_records": ("stream", "record_id")}

# What reports repeat of other records: as these are called when a period is read for the last time.
REPEATED = {"client_name", "project_name", "task_name", "expense_category_name", "user_name"}
REPEATED |= {"is_contractor", "weekly_capacity", "avatar_url"}


def identity(name: str, row: Row) -> tuple[Any, ...]:
    """The values of a row's primary key."""
    return tuple(row[key] for key in KEYS.get(name, ("id",)))


def tables(harvest: Harvest) -> dict[str, list[Row]]:
    """Table -> its rows after a first sync, of which none is known to be deleted."""
    return {**by_month.tables(harvest), **reports(harvest, "year"), "deleted_records": []}
