"""The query parameters that filter rows."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from emulator.account.timestamps import stamp
from emulator.server.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from emulator.account.state import Row

    Test = Callable[[Row], bool]

_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:T(?P<time>\d\d:\d\d(?::\d\d)?)(?P<part>\.\d+)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
)
_BUSINESS_DATE = {"invoices": "issue_date", "estimates": "issue_date", "pto_requests": "start_date"}


def condition_of(name: str, filters: str, params: Mapping[str, str], *, inclusive: bool) -> Test | None:
    """One test for all filters in the query that the endpoint knows; None if there are none.

    Raises `RefusedError` if a value is invalid.
    """
    tests = [
        _test(name, key, value, inclusive=inclusive)
        for key, value in params.items()
        if key in filters.split() and value
    ]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)


def _test(name: str, key: str, value: str, *, inclusive: bool) -> Test:
    if key == "updated_since":
        return _since(value, inclusive=inclusive)
    if key in {"from", "to"}:
        field, limit = _BUSINESS_DATE.get(name, "spent_date"), business_date(value).isoformat()
        # A row without a date is never between two dates.
        return (
            (lambda row: (row[field] or "") >= limit)
            if key == "from"
            else (lambda row: "" < (row[field] or "") <= limit)
        )
    if key in {"is_active", "is_billed", "is_running"}:
        wanted = value == "true"
        return lambda row: row[key] is wanted
    if key in {"state", "status", "year"}:
        return lambda row: str(row[key]) == value
    if name == "invoices" and key == "project_id":
        return lambda row: any(str((item["project"] or {}).get("id")) == value for item in row["line_items"])
    field = key.removesuffix("_id")
    return lambda row: _id(row[field]) == value


def _id(reference: Any) -> str:
    return "" if reference is None else str(reference["id"])


def _since(value: str, *, inclusive: bool) -> Test:
    match = _MOMENT.fullmatch(value)
    try:
        if match is None:
            raise ValueError(value)  # noqa: TRY301 - one message for text that is no date and for a day that no month has
        zone = (match["zone"] or "Z").replace("Z", "+00:00")
        moment = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}{zone[:3]}:{zone[-2:]}")
    except ValueError:
        raise RefusedError(400, {"message": "updated_since is not a valid date and time"}) from None
    # Rows have whole seconds, so `>= 10:00:00.5` means `>= 10:00:01`, and `> 10:00:00.5` means `> 10:00:00`.
    has_part = bool((match["part"] or "").strip(".0"))
    limit = stamp(moment.astimezone(timezone.utc) + timedelta(seconds=has_part and inclusive))
    return (lambda row: row["updated_at"] >= limit) if inclusive else (lambda row: row["updated_at"] > limit)


def business_date(value: str) -> date:
    """A date written as 20260302 or 2026-03-02. Raises `RefusedError` for anything else."""
    try:
        return datetime.strptime(value.replace("-", ""), "%Y%m%d").replace(tzinfo=timezone.utc).date()
    except ValueError:
        raise RefusedError(422, {"message": "Date is not valid"}) from None
