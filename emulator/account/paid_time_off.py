"""Paid time off: the days of a request, the holidays of a calendar, who is assigned what, and what is left.

Assumed: a request has a day for each working day in it, and keeps those whose dates stay when it is changed.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.account.state import Row, State

Values = dict[str, Any]

DAY = timedelta(days=1)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def schedule_of(state: State, user_id: int) -> Row:
    """The work schedule that holds for a user: the assigned one, else the default, else forty hours a week."""
    schedules = state.tables["pto_work_schedules"].rows
    _, assigned = state.time_off_of.get(user_id, (None, None))
    if assigned is not None:
        return schedules[assigned]
    default = [row for row in schedules.values() if row["is_default"]]
    forty = {f"{name}_hours": 8.0 if n < 5 else 0.0 for n, name in enumerate(WEEKDAYS)}
    return default[0] if default else {"name": "Standard", "weekly_hours": 40.0, **forty}


def hours_on(schedule: Row, day: date) -> float:
    """The hours of a day by a work schedule."""
    hours: float = schedule[f"{WEEKDAYS[day.weekday()]}_hours"]
    return hours


def holidays_of(state: State, user_id: int) -> set[str]:
    """The days of a user's holiday calendar."""
    calendar_id, _ = state.time_off_of.get(user_id, (None, None))
    if calendar_id is None:
        return set()
    return {entry["date"] for entry in state.row("pto_holiday_calendars", calendar_id)["entries"]}


def request(state: State, values: Values) -> Values:
    """The values of a new request, with its days."""
    start = values.get("start_date", values["created_at"][:10])
    values = {"start_date": start, "end_date": start, **values}
    days = _days(state, values["user_id"], values, [])
    total = _total(days)
    return {"days": total, "business_days_at_submission": total, "request_days": days, **values}


def changed_request(state: State, row: Row, values: Values) -> Values:
    """The values of a changed request; new dates bring new days."""
    if values.keys().isdisjoint({"start_date", "end_date", "start_time_minutes", "end_time_minutes"}):
        return values
    days = _days(state, row["user"]["id"], {**row, **values}, row["request_days"])
    return {"days": _total(days), "request_days": days, **values}


def _total(days: list[Row]) -> float:
    total: float = round(sum(day["day_fraction"] for day in days), 4)
    return total


def _days(state: State, user_id: int, values: Values, before: list[Row]) -> list[Row]:
    """The working days of a request; those that were there `before` keep their ids."""
    kept = {day["date"]: day["id"] for day in before}
    schedule, holidays = schedule_of(state, user_id), holidays_of(state, user_id)
    day, last = date.fromisoformat(values["start_date"]), date.fromisoformat(values["end_date"])
    days = []
    while day <= last:
        whole = hours_on(schedule, day)
        if whole and day.isoformat() not in holidays:
            hours = min(whole, _part(values, whole))
            id_ = kept.get(day.isoformat()) or state.new_id("pto_request_days")
            days.append({"id": id_, "date": day.isoformat(), "hours": hours, "day_fraction": round(hours / whole, 4)})
        day += DAY
    return days


def _part(values: Values, hours: float) -> float:
    """The hours of a day that a request takes up."""
    start, end = values.get("start_time_minutes"), values.get("end_time_minutes")
    return hours if start is None or end is None else round((end - start) / 60, 2)


def holiday_calendar(state: State, values: Values) -> Values:
    """The values of a calendar, whose entries get ids."""
    entries = [{"id": state.new_id("pto_holidays"), **entry} for entry in values.get("entries", ())]
    return {**values, "entries": [{key: entry[key] for key in ("id", "name", "date")} for entry in entries]} | {
        "entries_count": len(entries)
    }


def changed_calendar(state: State, _: Row, values: Values) -> Values:
    """The values of a changed calendar."""
    return holiday_calendar(state, values) if "entries" in values else values


def allocation(state: State, values: Values) -> Values:
    """The values of a new allocation; what it does not set for itself is its policy's."""
    year = int(values["created_at"][:4])
    policy = state.row("pto_types", values["pto_type_id"])
    own = {"days_per_year": policy["default_days_per_year"], **values}
    return {
        "year": year,
        "carryover_days": 0.0,
        "effective_days_per_year": own["days_per_year"],
        "effective_accrual_type": policy["accrual_type"],
        "effective_accrual_schedule": policy["accrual_schedule"],
        "effective_requires_approval": policy["requires_approval"],
        **own,
    }


def assignments(state: State) -> list[Row]:
    """Who is assigned which holiday calendar and work schedule: a row for each user, the newest first."""
    return [_assignment(state, user_id) for user_id in sorted(state.tables["users"].rows, reverse=True)]


def _assignment(state: State, user_id: int) -> Row:
    calendar, schedule = state.time_off_of.get(user_id, (None, None))
    effective = schedule_of(state, user_id)
    return {
        "user": state.reference("user", user_id),
        "holiday_calendar": None if calendar is None else state.reference("holiday_calendar", calendar),
        "work_schedule": None if schedule is None else state.reference("work_schedule", schedule),
        "effective_work_schedule": {"name": effective["name"], "weekly_hours": effective["weekly_hours"]},
    }


def balances(state: State, user_id: int, year: int, day: str) -> Row:
    """What one user has of each active policy in a year, as of a day."""
    policies = [row for row in state.tables["pto_types"].listed() if row["is_active"]]
    of_policy = [_balance(state, user_id, policy, year, day) for policy in policies]
    return {"user": state.reference("user", user_id), "year": year, "as_of": day, "balances": of_policy}


def _balance(state: State, user_id: int, policy: Row, year: int, day: str) -> Row:
    allocations = state.tables["pto_allocations"].rows.values()
    mine = (user_id, policy["id"])
    given = [row for row in allocations if (row["user"]["id"], row["pto_type"]["id"]) == mine and row["year"] == year]
    is_unlimited = policy["default_days_per_year"] is None and not given
    accrued = sum((row["effective_days_per_year"] or 0.0 for row in given), 0.0)
    carried = sum((row["carryover_days"] or 0.0 for row in given), 0.0)
    used, pending = (_taken(state, mine, year, status) for status in ("approved", "pending"))
    left = None if is_unlimited else accrued + carried - used[0]
    return {
        "pto_type": state.reference("pto_type", policy["id"]),
        "is_requestable": policy["is_active"],
        "year": year,
        "as_of": day,
        "is_unlimited": is_unlimited,
        "requires_approval": policy["requires_approval"],
        "effective_accrual_type": policy["accrual_type"],
        "accrual_schedule": policy["accrual_schedule"],
        "accrued_days": None if is_unlimited else str(accrued),
        "carryover_days": str(carried),
        "available_days": None if is_unlimited else str(accrued + carried),
        "used_days": str(used[0]),
        "pending_days": str(pending[0]),
        "remaining_days": None if left is None else str(left),
        "used_hours": str(used[1]),
        "pending_hours": str(pending[1]),
        "used_fraction": None if is_unlimited else str(round(used[0] / (accrued + carried or 1.0), 4)),
        "pending_fraction": None if is_unlimited else str(round(pending[0] / (accrued + carried or 1.0), 4)),
    }


def _taken(state: State, mine: tuple[int, int], year: int, status: str) -> tuple[float, float]:
    """The days and hours of a user's requests of a policy and status in a year."""
    days = [
        day
        for row in state.tables["pto_requests"].rows.values()
        if (row["user"]["id"], row["pto_type"]["id"]) == mine and row["status"] == status
        for day in row["request_days"]
        if day["date"].startswith(str(year))
    ]
    return round(sum((day["day_fraction"] for day in days), 0.0), 4), round(sum((day["hours"] for day in days), 0.0), 2)
