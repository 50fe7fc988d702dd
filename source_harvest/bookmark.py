"""What a stream's state says, and how it is written. The shapes are described in docs/state.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pendulum
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_harvest.errors import config_error, shown
from source_harvest.spans import Span
from source_harvest.visits import Attempt, Visit

if TYPE_CHECKING:
    from source_harvest.stream import HarvestStream

# The keys of states that Airbyte's earlier connector left for streams that it read per parent.
PER_PARENT_KEYS = {"states", "state", "parent_state", "use_global_cursor", "lookback_window"}

# What a state may hold of a stream of which nothing was read to its end.
OF_ANY = {"account", "start", "counted"}


def timestamp(moment: datetime) -> str:
    """A moment as Harvest writes it: "2024-01-31T10:00:00Z"."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def second_before(moment: str) -> str:
    """The timestamp one second earlier, for a filter of which nobody says whether it includes its bound."""
    return timestamp(datetime.fromisoformat(moment.replace("Z", "+00:00")) - timedelta(seconds=1))


@dataclass(frozen=True)
class Bookmark:
    """Where the last sync of a stream got to. Moments are by Harvest's clock, in UTC."""

    cursor: datetime | None = None
    """Every change before it has been delivered. None: the stream was never read to its end."""
    began: datetime | None = None
    """When the read began that was not finished."""
    spans: tuple[Span, ...] = ()
    """The days of it that were finished."""
    entries: int | None = None
    """How many rows its list had when it began, where that is known."""
    found: int = 0
    """How many of these the finished days delivered."""
    visit: Visit = Visit.ALL
    """Which parents it visits, where it is of a list below records."""
    attempts: tuple[Attempt, ...] = ()
    """Those to visit them, oldest first, of which each later one came less far than the one before."""
    unread: tuple[int, ...] = ()
    """Parents that were due but could not be visited, of which nothing is known since `start`."""
    start: str | None = None
    """The earliest change that was delivered, where a start date left out earlier ones."""
    all_parents: datetime | None = None
    """When all parents were visited last."""
    living_parents: datetime | None = None
    """When the parents that are alive or were touched lately were visited last."""
    account: str | None = None
    """The ID of the account that it is of, where it says."""
    is_counted: bool = False
    """Whether deletions were looked for in the last sync, so that what it delivered is known if it is deleted."""

    @property
    def latest(self) -> datetime:
        """The latest moment that it tells of."""
        attempts = (attempt.began for attempt in self.attempts)
        moments = (self.cursor, self.began, self.all_parents, self.living_parents, *attempts)
        return max(filter(None, moments), default=datetime.min.replace(tzinfo=timezone.utc))

    def reaches_back_to(self, start: str | None) -> bool:
        """Whether no change since this start was left out."""
        return self.start is None or (start is not None and start >= self.start)

    def since(self, overlap: timedelta) -> str | None:
        """The earliest change that may not have been delivered yet, where none shows later than the overlap."""
        return timestamp(self.cursor - overlap) if self.cursor else None

    def children_since(self, overlap: timedelta) -> str | None:
        """The same for what is below parents, of which most are not visited in most syncs."""
        return timestamp(self.all_parents - overlap) if self.all_parents else None

    def attempt(self, parent_id: int) -> Attempt | None:
        """The last one that came to this parent."""
        return next((attempt for attempt in reversed(self.attempts) if parent_id <= attempt.up_to_parent), None)

    def visited(self, attempt: Attempt, unread: tuple[int, ...]) -> Bookmark:
        """The same after an attempt came further, but for parents that are left `unread`."""
        others = (other for other in self.attempts if other.up_to_parent > attempt.up_to_parent)
        return replace(self, began=self.began or attempt.began, attempts=(*others, attempt), unread=unread)

    def state(self, cursor_field: str) -> dict[str, Any]:
        """As the platform keeps it."""
        found: dict[str, Any] = {
            cursor_field: self.cursor,
            "all_parents_read": self.all_parents,
            "living_parents_read": self.living_parents,
        }
        found = {key: timestamp(moment) for key, moment in found.items() if moment}
        if self.began:
            unfinished: dict[str, Any] = {"began": timestamp(self.began)}
            if self.spans:
                unfinished["spans"] = [span.ends for span in self.spans]
            if self.entries is not None:
                unfinished |= {"entries": self.entries, "found": self.found}
            unfinished |= self._visits
            found["unfinished"] = unfinished
        if self.unread:
            found["unread"] = list(self.unread)
        last = {"start": self.start, "account": self.account, "counted": self.is_counted}
        return found | {key: value for key, value in last.items() if value}

    @property
    def _visits(self) -> dict[str, Any]:
        """The part of an unfinished state that is about visits."""
        if not self.attempts:
            return {}
        found: dict[str, Any] = {"up_to_parent": self.attempts[0].up_to_parent}
        if self.visit is not Visit.ALL:
            found["visit"] = self.visit.value
        if len(self.attempts) > 1 or self.attempts[0].began != self.began:
            found["attempts"] = [[timestamp(began), up_to_parent] for began, up_to_parent in self.attempts]
        return found


def bookmark_of(stream: HarvestStream, state: Mapping[str, Any]) -> Bookmark:
    """What a stream's state says; nothing where it says to read everything. The stream takes back what it kept there.

    Takes the states of this connector and those of Airbyte's earlier one: {"updated_at": …}, {"to": "20240131"} for
    reports, and a form per parent, which left out children of old parents and so is read anew.
    Raises a config `HarvestError` for anything else, a state of a newer connector included.
    """
    if not state or state.keys() == {NO_CURSOR_STATE_KEY} or state.keys() & PER_PARENT_KEYS:
        return Bookmark()
    cursor_field, own = str(stream.cursor_column), {key: state[key] for key in stream.kept_in_state if key in state}
    try:
        account, is_counted = _account(state), _flag(state.get("counted", False))
        stream.recall(own)
        if state.keys() <= own.keys() | OF_ANY:  # killed before it had read anything to its end
            return Bookmark(account=account, is_counted=is_counted)
        if state.keys() == {"to"} == {stream.earlier_state_key}:
            state = {cursor_field: f"{datetime.strptime(state['to'], '%Y%m%d').date()}T00:00:00Z"}  # noqa: DTZ007
        rest = {key: value for key, value in state.items() if key not in {*own, "account", "counted"}}
        return replace(_parsed(rest, cursor_field), account=account, is_counted=is_counted)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise config_error(
            f'The state of the stream "{stream.name}" cannot be read: it is {shown(dict(state))}, where a moment such '
            f'as {{"{cursor_field}": "2024-01-31T10:00:00Z"}} is expected. Clear the stream\'s data to read it anew, '
            "or use the version of the connector that wrote it."
        ) from None


def _parsed(state: Mapping[str, Any], cursor_field: str) -> Bookmark:
    known_of_unfinished = {"began", "spans", "entries", "found", "up_to_parent", "visit", "attempts"}
    known = {cursor_field, "updated_at", "all_parents_read", "living_parents_read", "unfinished", "unread", "start"}
    unfinished = state.get("unfinished", {})
    if state.keys() - known or unfinished.keys() - known_of_unfinished:
        raise ValueError("a key that is not known")
    return Bookmark(
        cursor=None
        if unfinished and cursor_field not in state
        else _moment(state.get(cursor_field, state.get("updated_at"))),
        began=_moment(unfinished["began"]) if unfinished else None,
        spans=tuple(Span.of(ends) for ends in unfinished.get("spans", ())),
        entries=int(unfinished["entries"]) if "entries" in unfinished else None,
        found=int(unfinished.get("found", 0)),
        visit=Visit(unfinished.get("visit", Visit.ALL.value)),
        attempts=tuple(_attempts(unfinished)),
        unread=_ids(state.get("unread", [])),
        all_parents=_moment(state["all_parents_read"]) if "all_parents_read" in state else None,
        living_parents=_moment(state["living_parents_read"]) if "living_parents_read" in state else None,
        start=timestamp(_moment(state["start"])) if "start" in state else None,
    )


def _account(state: Mapping[str, Any]) -> str | None:
    account = state.get("account")
    if not isinstance(account, str | None):
        raise TypeError("no account")
    return account


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _attempts(unfinished: Mapping[str, Any]) -> Iterator[Attempt]:
    if "attempts" in unfinished:
        for began, up_to_parent in unfinished["attempts"]:
            yield Attempt(_moment(began), int(up_to_parent))
    elif "up_to_parent" in unfinished:
        yield Attempt(_moment(unfinished["began"]), int(unfinished["up_to_parent"]))


def _ids(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(id_) is int for id_ in value):
        raise TypeError("no ids")
    return tuple(value)


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[T ]", value):
        raise ValueError("no moment")
    moment = pendulum.parse(value)
    if not isinstance(moment, pendulum.DateTime):
        raise TypeError("no moment")
    moment = moment.in_timezone("UTC")
    if moment.year < 1970:
        raise ValueError("long before there was Harvest")
    return moment
