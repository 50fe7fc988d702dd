"""Paid time off: kinds of it, requests, holidays, work schedules, and what each person has.

Harvest's own pages about it could not be read: see B150 to B164 of docs/harvest-behaviour.md.
"""

from source_harvest.stream_types.either_envelope import EitherEnvelope
from source_harvest.stream_types.embedded import EmbeddedStream
from source_harvest.stream_types.incremental import UpdatedSince
from source_harvest.stream_types.user_snapshots import UserSnapshots
from source_harvest.stream_types.yearly import YearlyStream
from source_harvest.streams.users import Users

EVERYONE = "everyone, where the account has paid time off switched on"


class _PaidTimeOff(EitherEnvelope):
    """A list of Harvest's module for paid time off."""

    module = "pto"
    readable_by = "Administrators, where the account has paid time off switched on"


class PtoTypes(_PaidTimeOff, UpdatedSince):
    """A kind of time off, such as vacation, and its rules, which Harvest calls a policy.

    https://help.getharvest.com/api-v2/
    """

    resource = "pto/types"


class PtoRequests(_PaidTimeOff, UpdatedSince):
    """A request for time off, in any status.

    https://help.getharvest.com/api-v2/

    Administrators see all, others what Harvest shows them.
    """

    resource = "pto/requests"
    readable_by = EVERYONE
    limited_by_start_date = True
    foreign_keys = {"user_id": "users", "pto_type_id": "pto_types", "reviewer_id": "users"}


class PtoRequestDays(EmbeddedStream):
    """A day, or part of one, of a request for time off, with the status of the request."""

    parent = PtoRequests
    parent_key = "pto_request_id"
    embedded_in = "request_days"
    from_parent = ("user_id", "pto_type_id", "status")
    cursor_field = "pto_request_updated_at"
    limited_by_start_date = True
    foreign_keys = {"pto_request_id": "pto_requests", "user_id": "users", "pto_type_id": "pto_types"}


class PtoHolidayCalendars(_PaidTimeOff):
    """A calendar of public holidays, and the holidays in it.

    https://help.getharvest.com/api-v2/
    """

    resource = "pto/holiday_calendars"


class PtoHolidays(EmbeddedStream):
    """A holiday in a calendar."""

    parent = PtoHolidayCalendars
    parent_key = "holiday_calendar_id"
    embedded_in = "entries"
    counted_by = "entries_count"
    cursor_field: list[str] = []
    foreign_keys = {"holiday_calendar_id": "pto_holiday_calendars"}


class PtoWorkSchedules(_PaidTimeOff):
    """How many hours are worked on each day of the week.

    https://help.getharvest.com/api-v2/
    """

    resource = "pto/work_schedules"


class PtoAssignments(_PaidTimeOff):
    """A user's holiday calendar and work schedule, as they are today.

    https://help.getharvest.com/api-v2/
    """

    resource = "pto/assignments"
    primary_key = ["user_id"]
    identified_by = ("user_id",)
    may_be_bare = True
    foreign_keys = {
        "user_id": "users",
        "holiday_calendar_id": "pto_holiday_calendars",
        "work_schedule_id": "pto_work_schedules",
    }


class PtoAllocations(_PaidTimeOff, YearlyStream):
    """How much time off of a kind a user has in a year.

    https://help.getharvest.com/api-v2/
    """

    resource = "pto/allocations"
    begins_with = PtoRequests
    dated_by = "start_date"
    foreign_keys = {"user_id": "users", "pto_type_id": "pto_types"}


class PtoBalances(UserSnapshots):
    """How much time off of a kind a user had taken and had left in the year, on the day of a sync.

    https://help.getharvest.com/api-v2/

    One sync a day makes a history.
    """

    resource = "pto/balances"
    module = "pto"
    readable_by = EVERYONE
    primary_key = ["user_id", "pto_type_id", "year", "snapshot_date"]
    text_keys = ("snapshot_date",)
    users = Users
    embedded_in = "balances"
    foreign_keys = {"user_id": "users", "pto_type_id": "pto_types"}
    decimal_texts = (
        *("accrued_days", "carryover_days", "available_days", "used_days", "pending_days", "remaining_days"),
        *("used_hours", "pending_hours", "used_fraction", "pending_fraction"),
    )
