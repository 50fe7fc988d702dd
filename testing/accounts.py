"""What happens in an emulated account, and what it was asked for."""

from datetime import date, datetime, timezone
from typing import Any

from emulator import Harvest
from testing.expected_reports import DAY, today


def requests_to(harvest: Harvest, path: str) -> list[dict[str, str]]:
    """The queries of all requests for a path, such as `/v2/clients`, in order."""
    return [request.query for request in harvest.requests if request.path == path]


def move_to(harvest: Harvest, moment: str) -> None:
    """The clock is set on, to noon in UTC where only a day is given."""
    text = moment if "T" in moment else f"{moment}T12:00:00"
    to = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    assert to >= harvest.clock.now()
    harvest.clock.advance(seconds=(to - harvest.clock.now()).total_seconds())


def without_entries(harvest: Harvest) -> None:
    """All that was tracked is deleted."""
    for name in ("time_entries", "expenses"):
        for row in harvest.listed(name):
            harvest.delete(name, row["id"])


def an_entry(harvest: Harvest, day: str, **values: Any) -> int:
    """Adds time that somebody worked on a day on a project that is paid by the hour."""
    slot = next(row for row in harvest.listed("user_assignments") if row["is_active"])
    where = {"project_id": slot["project"]["id"], "user_id": slot["user"]["id"]}
    return harvest.add("time_entries", **{**where, "spent_date": day, "hours": 2.0, **values})


def of_late(harvest: Harvest, days: int = 200) -> date:
    """All that was tracked is of the last days, some of it of the first of them. Returns that day."""
    without_entries(harvest)
    first = today(harvest) - days * DAY
    for ago in range(days, 0, -4):
        an_entry(harvest, str(today(harvest) - ago * DAY))
        harvest.add("expenses", spent_date=str(today(harvest) - ago * DAY))
    return first


def to_now(harvest: Harvest) -> None:
    """The account's clock is set to this machine's."""
    harvest.clock.advance(seconds=(datetime.now(timezone.utc) - harvest.clock.now()).total_seconds())
