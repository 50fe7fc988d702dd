"""The state of a stream, and its JSON form, which docs/state.md describes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, NamedTuple

import pendulum
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_harvest.api.timestamps import timestamp
from source_harvest.state.date_range import DateRange

# The keys of the states that Airbyte's earlier connector kept per parent.
PER_PARENT_KEYS = {"states", "state", "parent_state", "use_global_cursor", "lookback_window"}

# Keys that the state of any stream may have, even if it was never read to its end.
OF_ALL = {"account", "start", "counted"}

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
"""The errors of parsing what is not a state."""


class ParentScope(Enum):
    """Which parents a sync visits."""

    CHANGED = "changed"
    LIVING = "living"
    ALL = "all"


class Attempt(NamedTuple):
    """The visits of one sync that did not finish."""

    began: datetime
    up_to_parent: int
    """All due parents up to this id were visited, except those that the state lists as `unread`."""


@dataclass(frozen=True)
class StreamState:
    """How far the last sync of a stream got. Times are by Harvest's clock, in UTC."""

    cursor: datetime | None = None
    """Every change before it has been delivered. None: the stream was never read to its end."""
    began: datetime | None = None
    """When the unfinished read began."""
    finished_days: tuple[DateRange, ...] = ()
    """The days that the unfinished read has finished."""
    entries: int | None = None
    """How many rows the list had when that read began, if known."""
    found: int = 0
    """How many of the `entries` the finished days delivered."""
    visit: ParentScope = ParentScope.ALL
    """Which parents were due in the unfinished visits of a child stream."""
    attempts: tuple[Attempt, ...] = ()
    """The unfinished visits, oldest first; each reached a lower parent id than the one before."""
    unread: tuple[int, ...] = ()
    """Due parents that could not be visited; the next sync reads all their children since `start`."""
    start: str | None = None
    """The earliest change that was delivered, if a start date left out earlier ones."""
    all_parents: datetime | None = None
    """When all parents were last visited."""
    living_parents: datetime | None = None
    """When the living and recently changed parents were last visited."""
    account: str | None = None
    """The ID of the Harvest account, if known."""
    is_counted: bool = False
    """Whether the last sync tracked deletions, so that `deleted_records` knows the ids that it delivered."""

    @property
    def latest(self) -> datetime:
        """The latest time in it; the year 1 if it has none."""
        attempts = (attempt.began for attempt in self.attempts)
        moments = (self.cursor, self.began, self.all_parents, self.living_parents, *attempts)
        return max(filter(None, moments), default=datetime.min.replace(tzinfo=timezone.utc))

    def reaches_back_to(self, start: str | None) -> bool:
        """Whether no change since this start date was left out."""
        return self.start is None or (start is not None and start >= self.start)

    def since(self, overlap: timedelta) -> str | None:
        """The earliest change to read, which is `overlap` before the cursor; None for everything."""
        return timestamp(self.cursor - overlap) if self.cursor else None

    def attempt(self, parent_id: int) -> Attempt | None:
        """The last attempt that reached this parent."""
        return next((attempt for attempt in reversed(self.attempts) if parent_id <= attempt.up_to_parent), None)

    def state(self, cursor_field: str) -> dict[str, Any]:
        """Its JSON form."""
        moments = {
            cursor_field: self.cursor,
            "all_parents_read": self.all_parents,
            "living_parents_read": self.living_parents,
        }
        found: dict[str, Any] = {key: timestamp(moment) for key, moment in moments.items() if moment}
        if self.began:
            found["unfinished"] = self._unfinished(self.began)
        last = {"unread": list(self.unread), "start": self.start, "account": self.account, "counted": self.is_counted}
        return found | {key: value for key, value in last.items() if value}

    def _unfinished(self, began: datetime) -> dict[str, Any]:
        is_of_one_sync = [attempt.began for attempt in self.attempts] == [began]
        found = {
            "began": timestamp(began),
            "spans": [days.ends for days in self.finished_days] or None,
            "entries": self.entries,
            "found": None if self.entries is None else self.found,
            "up_to_parent": self.attempts[0].up_to_parent if self.attempts else None,
            "visit": self.visit.value if self.attempts and self.visit is not ParentScope.ALL else None,
            "attempts": None if is_of_one_sync else [[timestamp(at), up_to] for at, up_to in self.attempts] or None,
        }
        return {key: value for key, value in found.items() if value is not None}


def parse_state(
    state: Mapping[str, Any], cursor_field: str, extra_keys: Collection[str] = (), earlier_key: str = "updated_at"
) -> StreamState:
    """Parses a state, except for the values under `extra_keys`. An empty `StreamState` means: read everything.

    `earlier_key` is the cursor's key in Airbyte's earlier connector, of which these states are accepted too:
    {"updated_at": …}, {"to": "20240131"} for reports, and states per parent, which are ignored because they left out
    children of old parents.
    Raises one of `UNREADABLE` for anything else, including a state of a newer version.
    """
    if not state or state.keys() == {NO_CURSOR_STATE_KEY} or state.keys() & PER_PARENT_KEYS:
        return StreamState()
    account, is_counted = state.get("account"), state.get("counted", False)
    if not (isinstance(account, str | None) and isinstance(is_counted, bool)):
        raise TypeError("account is not text, or counted neither true nor false")
    if state.keys() <= {*extra_keys} | OF_ALL:  # killed before any part was read to its end
        return StreamState(account=account, is_counted=is_counted)
    if state.keys() == {"to"} == {earlier_key}:
        state = {cursor_field: f"{datetime.strptime(state['to'], '%Y%m%d').date()}T00:00:00Z"}  # noqa: DTZ007
    rest = {key: value for key, value in state.items() if key not in extra_keys and key not in OF_ALL - {"start"}}
    return replace(_parsed(rest, cursor_field), account=account, is_counted=is_counted)


def _parsed(state: Mapping[str, Any], cursor_field: str) -> StreamState:
    known_in_unfinished = {"began", "spans", "entries", "found", "up_to_parent", "visit", "attempts"}
    known = {cursor_field, "updated_at", "all_parents_read", "living_parents_read", "unfinished", "unread", "start"}
    unfinished = state.get("unfinished", {})
    if state.keys() - known or unfinished.keys() - known_in_unfinished:
        raise ValueError("unknown key")
    is_first_read = unfinished and cursor_field not in state
    return StreamState(
        cursor=None if is_first_read else _moment(state.get(cursor_field, state.get("updated_at"))),
        began=_moment(unfinished["began"]) if unfinished else None,
        finished_days=tuple(DateRange.of(ends) for ends in unfinished.get("spans", ())),
        entries=int(unfinished["entries"]) if "entries" in unfinished else None,
        found=int(unfinished.get("found", 0)),
        visit=ParentScope(unfinished.get("visit", ParentScope.ALL.value)),
        attempts=tuple(_attempts(unfinished)),
        unread=_ids(state.get("unread", [])),
        all_parents=_moment(state["all_parents_read"]) if "all_parents_read" in state else None,
        living_parents=_moment(state["living_parents_read"]) if "living_parents_read" in state else None,
        start=timestamp(_moment(state["start"])) if "start" in state else None,
    )


def _attempts(unfinished: Mapping[str, Any]) -> Iterator[Attempt]:
    single = [[unfinished["began"], unfinished["up_to_parent"]]] if "up_to_parent" in unfinished else []
    for began, up_to_parent in unfinished.get("attempts", single):
        yield Attempt(_moment(began), int(up_to_parent))


def _ids(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(id_) is int for id_ in value):
        raise TypeError("not a list of ids")
    return tuple(value)


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[T ]", value):
        raise ValueError("not a timestamp")
    moment = pendulum.parse(value)
    if not isinstance(moment, pendulum.DateTime):
        raise TypeError("not a timestamp")
    moment = moment.in_timezone("UTC")
    if moment.year < 1970:
        raise ValueError("before Harvest existed")
    return moment
