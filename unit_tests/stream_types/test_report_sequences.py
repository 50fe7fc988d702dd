"""Whatever happens between syncs and in them: a destination that upserts by key holds what the account reckons."""

import os
import random
from datetime import date, timedelta
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from emulator import Harvest
from testing.accounts import an_entry
from testing.destinations import InMemoryDestination
from testing.expected_reports import DAY, Row, is_zero, period_of, periods, reports, today
from testing.expected_tables import identity
from testing.in_process import catalog, load_into, state_in, sync
from testing.streams import REPORTS

SEEDS = range(int(os.environ.get("REPORT_SEEDS", "4")))

# Kind of period -> days of lookback, of the account's past, and at most between two syncs.
SPANS = {"day": (4, 12, 3), "week": (10, 40, 10), "month": (35, 130, 40), "year": (90, 900, 300)}

FAULTS: list[dict[str, Any]] = [
    *({"status": status} for status in (429, 500, 503)),
    *({"kind": kind} for kind in ("reset", "cut", "html", "broken_json")),
]


class Story:
    """An account in which people work, and change what they did within the lookback."""

    def __init__(self, harvest: Harvest, kind: str, chance: random.Random) -> None:
        self.harvest, self.kind, self.chance = harvest, kind, chance
        self.lookback, past, self.longest_gap = SPANS[kind]
        self.first = today(harvest) - past * DAY
        for name in ("time_entries", "expenses"):
            for row in harvest.listed(name):
                if row["is_running" if name == "time_entries" else "is_locked"] or row["spent_date"] < str(self.first):
                    harvest.delete(name, row["id"])
        an_entry(harvest, str(self.first))
        harvest.add("expenses", spent_date=str(self.first))
        for _ in range(40):
            self.add(today(harvest) - chance.randint(0, past) * DAY)

    def a_day(self) -> str:
        """One whose period may still change, or one to come."""
        return str(today(self.harvest) + self.chance.randint(-self.lookback, 3) * DAY)

    def add(self, day: date | str) -> None:
        slot = self.chance.choice(self.harvest.listed("user_assignments"))
        values = {
            "project_id": slot["project"]["id"],
            "user_id": slot["user"]["id"],
            "spent_date": str(day),
            "billable": self.chance.random() < 0.7,
        }
        if self.chance.random() < 0.6:
            hours = self.chance.choice((0.25, 1.5, 8.0))
            task = self.chance.choice(self.harvest.listed("tasks"))["id"]
            self.harvest.add("time_entries", hours=hours, task_id=task, **values)
        else:
            category = self.chance.choice(self.harvest.listed("expense_categories"))["id"]
            cost = self.chance.choice((9.99, 120.0))
            self.harvest.add("expenses", total_cost=cost, expense_category_id=category, **values)

    def change(self) -> None:
        table = self.chance.choice(("time_entries", "time_entries", "expenses"))
        open_since = str(today(self.harvest) - self.lookback * DAY)
        rows = [row for row in self.harvest.listed(table) if row["spent_date"] >= open_since]
        how = self.chance.choice(("add", "edit", "move", "move elsewhere", "delete", "delete"))
        if how == "add" or not rows:
            self.add(self.a_day())
            return
        row = self.chance.choice(rows)
        if how == "edit":
            values = {"hours": 3.0} if table == "time_entries" else {"total_cost": 33.0}
            self.harvest.update(table, row["id"], **values)
        elif how == "move":
            self.harvest.update(table, row["id"], spent_date=self.a_day())
        elif how == "move elsewhere":
            slot = self.chance.choice(self.harvest.listed("user_assignments"))
            self.harvest.update(table, row["id"], project_id=slot["project"]["id"], user_id=slot["user"]["id"])
        else:
            self.harvest.delete(table, row["id"])

    def enter_history(self) -> None:
        """Time of before the first period, as of another tool that was used until then, or mistyped."""
        days = self.chance.choice((40, 40, {"day": 150, "week": 1_500}.get(self.kind, 9_000)))
        self.first = period_of(self.first, self.kind)[0] - self.chance.randint(1, days) * DAY
        an_entry(self.harvest, str(self.first))

    def pass_time(self) -> None:
        self.harvest.clock.advance(days=self.chance.randint(0, self.longest_gap), hours=self.chance.randint(0, 23))
        for _ in range(self.chance.randint(0, 12)):
            self.change()


def assert_held(destination: InMemoryDestination, harvest: Harvest, kind: str, since: date, *, when: str) -> None:
    expected, calendar = reports(harvest, kind, since=since), periods(since, today(harvest), kind)
    for name in REPORTS:
        held = {identity(name, row): row for row in destination.held(name)}
        there = {
            (date.fromisoformat(row["period_start"]), date.fromisoformat(row["period_end"])) for row in held.values()
        }
        assert there <= set(calendar), (name, when)
        wanted = [row for row in expected[name] if not is_zero(row) and not is_left_out(harvest, name, row, held)]
        assert {key: row for key, row in held.items() if not is_zero(row)} == {
            identity(name, row): row for row in wanted
        }, (name, when)


def is_left_out(harvest: Harvest, name: str, row: Row, held: dict[tuple[Any, ...], Row]) -> bool:
    """Whether it tells of what is left of a fee in a period in which nobody worked or spent anything."""
    if name != "uninvoiced" or identity(name, row) in held:
        return False
    tracked = (entry["spent_date"] for table in ("time_entries", "expenses") for entry in harvest.listed(table))
    return not any(row["period_start"] <= day <= row["period_end"] for day in tracked)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("has_start", [False, True], ids=["all time", "a start date"])
@pytest.mark.parametrize("kind", SPANS)
def test_any_sequence_of_syncs_leaves_what_the_account_reckons(
    kind: str, has_start: bool, seed: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    chance = random.Random(f"{kind} {has_start} {seed}")
    story, destination = Story(harvest, kind, chance), InMemoryDestination()
    since = story.first
    config |= {"report_period": kind, "report_lookback_days": story.lookback, "num_workers": chance.choice((1, 4))}
    if has_start:
        since += timedelta(chance.randint(0, SPANS[kind][1] // 2))
        config["replication_start_date"] = str(since)
    for step in range(6):
        story.pass_time()
        if not has_start and chance.random() < 0.3:
            story.enter_history()
            since = story.first
        harvest.page_size_cap = chance.choice((2, 2000))
        for _ in range(chance.choice((0, 0, 4))):
            harvest.faults.add(path="/reports/", **chance.choice(FAULTS))
        is_refresh, is_killed = chance.random() < 0.15, chance.random() < 0.4 and step < 4
        mode = SyncMode.full_refresh if is_refresh else SyncMode.incremental
        asked = catalog(REPORTS, mode)
        result = sync(config, REPORTS, state_in(destination), asked=asked)
        assert result.error is None
        harvest.faults.clear()
        if is_killed:
            if not is_refresh:  # of a refresh that failed a platform keeps nothing
                load_into(destination, result.messages[: chance.randrange(len(result.messages))], asked)
            continue
        load_into(destination, result.messages, asked)
        assert_held(destination, harvest, kind, since, when=f"step {step}")
