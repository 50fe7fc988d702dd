"""Paid time off of a new account: policies, calendars, schedules, who has which, and requests."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from emulator.account import paid_time_off
from emulator.account.timestamps import later, stamp
from emulator.sample.attendance import habits_of, is_on_leave
from emulator.sample.builder import BEGINNING, FOUNDED, LAST_DAY, LEFT

if TYPE_CHECKING:
    from emulator.account.state import Row
    from emulator.sample.builder import Builder

_START = stamp(FOUNDED)
_YEARS = range(2024, 2028)
_HOLIDAYS = (
    *(("01-01", "New Year's Day"), ("05-01", "Labour Day"), ("12-24", "Christmas Eve"), ("12-25", "Christmas Day")),
    *(("12-26", "Second Day of Christmas"), ("12-31", "New Year's Eve")),
)
_CALENDARS = (("Berlin", _HOLIDAYS), ("Kyiv", (*_HOLIDAYS[:4], ("08-24", "Independence Day"))), ("Nobody yet", ()))
_SCHEDULES = {40: "Full time", 32: "Four days", 35: "Thirty-five hours", 30: "Short days", 20: "Old: half days"}

# Requests of the days to come: the user's number, days from the account's beginning, and what else they say.
_TO_COME: tuple[tuple[int, int, int, Row], ...] = (
    (0, 14, 18, {"status": "approved"}),
    (1, 7, 7, {"status": "approved", "start_time_minutes": 540, "end_time_minutes": 780, "notes": "Dentist"}),
    (2, 21, 24, {"status": "pending", "notes": "Skiing ⛷"}),
    (3, 2, 3, {"status": "declined", "review_reason": "The launch is on that day"}),
    (1, 100, 118, {"status": "changes_requested", "review_reason": "Two weeks at most"}),
    (3, 330, 334, {"status": "approved", "notes": 'First "big" trip\nof the year'}),
)


def build_paid_time_off(builder: Builder) -> None:
    """Who is on leave by their timesheets has a request for it; some requests are for days to come."""
    state = builder.state
    policies = _policies(builder)
    calendars = [_calendar(builder, n, name, days) for n, (name, days) in enumerate(_CALENDARS)]
    schedules = {hours: _schedule(builder, n, hours) for n, hours in enumerate(_SCHEDULES)}
    users = list(state.tables["users"].rows.values())
    for n, user in enumerate(users):
        schedule = None if n % 6 == 5 else schedules[habits_of(n).capacity]["id"]
        state.time_off_of[user["id"]] = (None if n % 5 == 4 else calendars[n % 2]["id"], schedule)
    _allocations(builder, users, policies[0])
    _requests(builder, users, policies)


def _policies(builder: Builder) -> list[Row]:
    def put(minutes: int, **values: object) -> Row:
        return builder.put("pto_types", later(_START, hours=4, minutes=minutes), **values)

    vacation = put(0, name="Vacation", default_days_per_year=28.0, max_carryover_days=5.0)
    unlimited: Row = {"default_days_per_year": None, "accrual_type": "unlimited", "accrual_schedule": None}
    sick = put(1, name="Sick leave", color="#2270b8", icon=None, requires_approval=False, **unlimited)
    hourly: Row = {"accrual_type": "worked_hours", "accrual_leave_hours": 1.0, "accrual_worked_hours": 30.0}
    put(2, name="Time in lieu", default_days_per_year=0.0, accrual_max_hours_per_year=40.0, **hourly)
    put(3, name="Old: gardening leave", is_active=False, visible_to_all=False, accrual_first_payday="2024-03-29")
    return [vacation, sick]


def _calendar(builder: Builder, n: int, name: str, days: tuple[tuple[str, str], ...]) -> Row:
    created = later(_START, hours=5, minutes=n)
    entries = [{"name": name_, "date": f"{year}-{day}"} for year in _YEARS for day, name_ in days]
    values = paid_time_off.holiday_calendar(builder.state, {"name": name, "entries": entries})
    return builder.put("pto_holiday_calendars", created, **values)


def _schedule(builder: Builder, n: int, hours: int) -> Row:
    days = 4 if hours == 32 else 5
    week = {f"{name}_hours": hours / days if k < days else 0.0 for k, name in enumerate(paid_time_off.WEEKDAYS)}
    flags = {"is_default": n == 0, "is_active": hours != 20}
    created = later(_START, hours=6, minutes=n)
    return builder.put(
        "pto_work_schedules", created, name=_SCHEDULES[hours], weekly_hours=float(hours), **flags, **week
    )


def _allocations(builder: Builder, users: list[Row], vacation: Row) -> None:
    drafts = []
    for year in _YEARS:
        for n, user in enumerate(users):
            decided = min(f"{year}-01-02T08:00:00Z", "2026-02-02T08:00:00Z")
            drafts.append((max(decided, user["created_at"]), n, year, user))
    for created, n, year, user in sorted(drafts, key=lambda draft: draft[:3]):
        own = {"days_per_year": 30.0, "accrual_type": "fixed"} if n % 3 == 1 else {"days_per_year": None}
        values = {"created_at": created, "year": year, "user_id": user["id"], "pto_type_id": vacation["id"], **own}
        values["carryover_days"] = 2.5 if n % 2 and year < 2027 else 0.0
        values = paid_time_off.allocation(builder.state, values)
        values["effective_days_per_year"] = values["days_per_year"] or vacation["default_days_per_year"]
        del values["created_at"]
        builder.put("pto_allocations", created, **values)


def _requests(builder: Builder, users: list[Row], policies: list[Row]) -> None:
    reviewer = users[0]["id"]
    for created, number, start, end, more in sorted(_drafts(users), key=lambda draft: draft[:3]):
        is_ill = more["status"] == "approved" and number % 4 == 3 and start < "2026"
        is_reviewed = more["status"] != "pending" and not is_ill
        reviewed = later(created, hours=26)
        values = {
            "created_at": created,
            "user_id": users[number]["id"],
            "pto_type_id": policies[is_ill]["id"],
            "start_date": start,
            "end_date": end,
            "reviewer_id": reviewer if is_reviewed else None,
            "reviewed_at": reviewed if is_reviewed else None,
            **more,
        }
        values = paid_time_off.request(builder.state, values)
        del values["created_at"]
        row = builder.put("pto_requests", created, **values)
        row["updated_at"] = reviewed if is_reviewed else created


def _drafts(users: list[Row]) -> list[tuple[str, int, str, str, Row]]:
    """When a request was made, its user's number, its first and last day, and what else it says."""
    drafts: list[tuple[str, int, str, str, Row]] = []
    for n, user in enumerate(users):
        joined = date.fromisoformat(user["created_at"][:10])
        monday = joined + timedelta(days=7 - joined.weekday())
        while monday <= (LAST_DAY if user["is_active"] else LEFT):
            if is_on_leave(n, monday):
                created = max(user["created_at"], f"{monday - timedelta(days=30)}T09:{n % 60:02}:00Z")
                friday = monday + timedelta(days=4)
                drafts.append((created, n, monday.isoformat(), friday.isoformat(), {"status": "approved"}))
            monday += timedelta(days=7)
    for k, (n, first, last, more) in enumerate(_TO_COME):
        start, end = ((BEGINNING.date() + timedelta(days=days)).isoformat() for days in (first, last))
        drafts.append((f"2026-02-1{k}T10:00:00Z", n, start, end, {**more}))
    return drafts
