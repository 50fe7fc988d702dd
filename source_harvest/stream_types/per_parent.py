"""Child streams, which take one request per parent and visit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from threading import Event
from typing import Any, ClassVar

from airbyte_cdk.models import FailureType
from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import Slice
from source_harvest.api.timestamps import Row, changed_since, is_changed_since, timestamp
from source_harvest.errors import HarvestError, Place
from source_harvest.state.deletion_tracker import TrackedStream
from source_harvest.state.known_ids import ChildIds, IdsByParent, KnownIds, part_of
from source_harvest.state.progress import StreamProgress
from source_harvest.state.stream_state import ParentScope, StreamState
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.visits import VisitProgress

logger = logging.getLogger("airbyte")

# Parents that changed within this time are visited daily, even if they are closed.
RECENTLY = timedelta(days=30)
# At most this many existing parents are left for the next sync because their child lists answered 404.
MOST_UNREAD = 100
# The fields that are kept of each parent.
PARENT_COLUMNS = ("state", "updated_at", "access_roles")


class PerParentStream(HarvestStream):
    """A child list of each parent row. Each sync reads all child lists."""

    takes_at_once = False
    may_have_smaller_pages = False  # these lists are short
    readable_by = ""  # whoever may read the parents
    parent: ClassVar[type[HarvestStream]]
    parent_key: ClassVar[str]
    """The column that holds the parent's id; Harvest does not send it."""
    below_parent: ClassVar[str]
    """The last part of its path, after the parent's id."""
    nothing_there: ClassVar[tuple[int, ...]] = (404,)
    """The statuses that mean that the parent has no such list, for example because it was deleted."""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._parents: dict[int, Row] = {}
        self._delivered: IdsByParent = {}
        self._visits = VisitProgress(self.name, [], [], lambda up_to_parent, unread: None)

    @property
    @override
    def place(self) -> Place:
        return Place(self.name, self.readable_by or self.parent.readable_by, self.nothing_there, self.parent.module)

    @classmethod
    @override
    def source_lists(cls) -> tuple[type[HarvestStream], ...]:
        return (cls.parent,)

    @classmethod
    @override
    def asks_for(cls) -> tuple[type[HarvestStream], ...]:
        return (*cls.source_lists(), cls) if cls.readable_by else cls.source_lists()

    @override
    def list_since(self, progress: StreamProgress) -> str | None:
        return None

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        self._parents.update((row["id"], {key: row.get(key) for key in PARENT_COLUMNS}) for row in rows)
        return ()

    @override
    def ids_by_parent(self, rows: list[Row]) -> Iterable[ChildIds]:
        return ()  # the rows of its list are the parents

    @override
    def tracked(self, progress: StreamProgress) -> TrackedStream | None:
        tracked = super().tracked(progress)
        return tracked and replace(tracked, has_parents=True, is_visited=True, delivered=self._delivered)

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        unread = progress.stream_state.unread
        parent_ids = sorted({*self._to_visit(progress, began), *unread})
        progress.expect(len(parent_ids))
        self._visits = VisitProgress(self.name, parent_ids, unread, partial(progress.visited, began))
        for parent_id in parent_ids:
            since = progress.complete_from if parent_id in unread else progress.since
            # To find deleted children, the tracker needs to see all that are left.
            asked = None if progress.tracker else since
            yield {self.parent_key: parent_id, "updated_since": asked, "changed_since": since}

    @override
    def first_path(self, stream_slice: Slice) -> str:
        return f"{self.parent.list_name}/{stream_slice[self.parent_key]}/{self.below_parent}"

    @override
    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterator[Row]:
        parent_id, doubts = stream_slice[self.parent_key], Event()
        pages = (page.rows for page in self.list_reader.new_pages(stream_slice, doubts.set))
        for rows in progress.children(parent_id, pages, doubts):
            changed = changed_since(rows, stream_slice["changed_since"])
            for row in changed:
                row[self.parent_key] = parent_id
            yield from self._shape.records(changed)

    @override
    def asks_again(self, stream_slice: Slice, status: int, times: int) -> bool:
        if status == 404 and times == 1:
            return self._is_there(stream_slice[self.parent_key])
        if status == 404:
            self._leave_unread(stream_slice[self.parent_key])
        return False

    def _is_there(self, parent_id: int) -> bool:
        """Whether the parent still exists; requests it. Raises `HarvestError`."""
        path, parents = f"{self.parent.list_name}/{parent_id}", self.sibling(self.parent)
        place = replace(parents.place, name=path, nothing_there=(404,))
        self.list_reader.count_request()
        with self._account.explained(place):
            if self._client.get(f"{self.url_base}{path}", place) is not None:
                return True
        # A module that was just switched off answers 404 too, and then no child was deleted: the probe raises.
        parents.probe()
        return False

    def _leave_unread(self, parent_id: int) -> None:
        """Leaves a parent for the next sync. Raises `HarvestError` if that makes too many."""
        if not self._visits.leave(parent_id, MOST_UNREAD):
            raise HarvestError(
                f"Harvest answered 404 to the requests for {self.name} of more than {MOST_UNREAD} "
                f"{self.parent.list_name}, which are still there. The next sync asks for them again. If it fails "
                "too, look at Harvest's status page.",
                FailureType.transient_error,
                status=404,
            )
        logger.warning(
            "%s: Harvest answered 404 twice below %s/%d, which is still there. Its %s are unknown, and none of "
            "them counts as deleted; the next sync requests them again. If this repeats, look at it in Harvest.",
            *(self.name, self.parent.list_name, parent_id, self.name),
        )

    @override
    def partition_done(self, stream_slice: Slice, progress: StreamProgress, began: datetime) -> None:
        self._visits.visited(stream_slice[self.parent_key])

    @override
    def final_state(self, progress: StreamProgress, began: datetime) -> StreamState:
        if progress.tracker:  # before the state that says that the parents were visited
            progress.tracker.emit_state_if_changed()
        return super().final_state(progress, began)

    def _to_visit(self, progress: StreamProgress, began: datetime) -> Iterator[int]:
        yield from self._parents


class ChangedParentsStream(PerParentStream):
    """A child list of each parent row. Each sync visits only parents that may have something new.

    Not every change of a child shows at its parent (B72 of docs/harvest-behaviour.md). So the first sync visits all
    parents, and later ones those that changed; once a day also those that are living or changed recently; and every
    `child_full_read_days` all of them. A visit requests what changed since all parents were last visited.
    """

    cursor_field = "updated_at"
    limited_by_start_date = True
    is_refused_as_one = False
    extra_state_keys = ("delivered",)
    living_states: ClassVar[tuple[str, ...]]
    """The states in which a parent is living: new children are likely."""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._has_whole_list = False

    @override
    def load_extra_state(self, kept: Mapping[str, Any]) -> None:
        self._delivered = KnownIds(kept.get("delivered", ())).by_parent

    @override
    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]:
        untold = progress.tracker.untold(self.name) if progress.tracker else self._delivered
        return {"delivered": [part_of(untold)]} if untold else {}

    @override
    def since(self, last: StreamState) -> str | None:
        # From the last visit of all parents: most syncs do not visit most parents.
        return timestamp(last.all_parents - self.overlap) if last.all_parents else None

    @override
    def list_since(self, progress: StreamProgress) -> str | None:
        # Harvest's clock is unknown before its first answer. If the local clock is wrong, the whole list is read in
        # vain, or the next sync makes the visits that are due.
        self._has_whole_list = self._due(progress, datetime.now(timezone.utc)) is not ParentScope.CHANGED
        return None if self._has_whole_list else progress.stream_state.since(self.overlap)

    @override
    def final_state(self, progress: StreamProgress, began: datetime) -> StreamState:
        state, last = super().final_state(progress, began), progress.stream_state
        first = last.began or began
        return replace(
            state,
            unread=tuple(sorted(self._visits.left)),
            all_parents=first if last.visit is ParentScope.ALL else last.all_parents,
            living_parents=last.living_parents if last.visit is ParentScope.CHANGED else first,
        )

    def _due(self, progress: StreamProgress, now: datetime) -> ParentScope:
        last, days = progress.stream_state, self._client.settings.child_full_read_days
        unfinished = last.visit if last.began else ParentScope.CHANGED
        has_visited_all = days and last.all_parents and (now - last.all_parents).days < days
        if not has_visited_all or unfinished is ParentScope.ALL:
            return ParentScope.ALL
        has_visited_today = last.living_parents and last.living_parents.date() == now.date()
        return ParentScope.CHANGED if has_visited_today and unfinished is ParentScope.CHANGED else ParentScope.LIVING

    @override
    def _to_visit(self, progress: StreamProgress, began: datetime) -> Iterator[int]:
        visit = self._due(progress, began) if self._has_whole_list else ParentScope.CHANGED
        progress.begin_visits(visit)
        last = progress.stream_state
        changed = timestamp((last.cursor or began) - self.overlap)
        recent = timestamp(began - RECENTLY)
        for id_, parent in self._parents.items():
            if attempt := last.attempt(id_):
                is_due = is_changed_since(parent, timestamp(attempt.began - self.overlap))
            else:
                is_living = parent["state"] in self.living_states or is_changed_since(parent, recent)
                is_due = visit is ParentScope.ALL or is_changed_since(parent, changed)
                is_due |= is_living and visit is ParentScope.LIVING
            if is_due:
                yield id_
