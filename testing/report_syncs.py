"""Syncs of reports: which periods they asked for."""

from datetime import date, datetime
from typing import Any

from emulator import Harvest
from source_harvest.streams import STREAMS
from testing.in_process import Sync, sync
from testing.streams import stream_name

PATHS = {stream_name(stream): f"/v2/{stream.resource}" for stream in STREAMS}
Days = tuple[date, date]
ONE_OF_EACH = ["time_clients", "expenses_team", "uninvoiced"]


def asked(harvest: Harvest, name: str = "time_clients") -> list[Days]:
    """The periods that a report was asked for since the requests were cleared, sorted."""
    queries = [request.query for request in harvest.requests if request.path == PATHS[name]]
    return sorted((_day(query["from"]), _day(query["to"])) for query in queries)


def _day(digits: str) -> date:
    return datetime.strptime(digits, "%Y%m%d").date()  # noqa: DTZ007 - a day, which has no zone


def asked_by(
    harvest: Harvest, config: dict[str, Any], state: Any = None, name: str = "time_clients"
) -> tuple[list[Days], Any]:
    """The periods that a sync of one report asks for, and its state."""
    harvest.requests.clear()
    result = sync(config, [name], state)
    assert result.error is None
    return asked(harvest, name), result.state


def first_day(harvest: Harvest, *lists: str) -> date:
    """The day of the earliest entry in these lists."""
    return min(date.fromisoformat(row["spent_date"]) for name in lists for row in harvest.listed(name))


def is_unfinished(killed: Sync) -> bool:
    """Whether a killed sync of `time_clients` left periods to be read."""
    return "unfinished" in killed.states["time_clients"]
