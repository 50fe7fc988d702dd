"""Streams below each record of another stream's list, at the cost of one request per parent and visit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from threading import Event, Lock
from typing import Any, ClassVar

from airbyte_cdk.models import FailureType
from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import Slice
from source_harvest.api.pages import Row
from source_harvest.api.timestamps import changed_since, is_changed_since, timestamp
from source_harvest.errors import HarvestError, Place
from source_harvest.state.deletion_tracker import DeletionTracker, TrackedStream
from source_harvest.state.known_ids import ChildIds, IdsByParent, KnownIds, part_of
from source_harvest.state.parent_visits import ParentScope
from source_harvest.state.progress import StreamProgress
from source_harvest.state.stream_state import StreamState
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.visits import VisitProgress

logger = logging.getLogger("airbyte")

# Parents that changed within this time are visited daily, whatever their state.
RECENTLY = timedelta(days=30)
# So many parents at most are left for the next sync, because the lists below them are not found though they are there.
MOST_UNREAD = 100
# What is kept of a parent.
PARENT_COLUMNS = ("state", "updated_at", "access_roles")


class PerParentStream(HarvestStream):
    """A list below each record of a parent's list. All of it is read in each sync."""

    takes_at_once = False
    readable_by = ""  # all who may read the parents
    parent: ClassVar[type[HarvestStream]]
    parent_key: ClassVar[str]
    """The column that holds the parent's id; Harvest does not send it."""
    below_parent: ClassVar[str]
    """The end of its path, below the parent's."""
    nothing_there: ClassVar[tuple[int, ...]] = (404,)
    """The answers that mean that this parent has no such list, as where the parent is gone."""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._parent_path = self.parent.resource or self.sibling(self.parent).name
        self._parents: dict[int, Row] = {}
        self._tracker: DeletionTracker | None = None
        self._delivered: IdsByParent = {}
        self._progress: VisitProgress | None = None
        self._lock = Lock()
        self._due_again: set[int] = set()
        self._unread: set[int] = set()

    @property
    @override
    def place(self) -> Place:
        readable_by, module = self.readable_by or self.parent.readable_by, self.parent.module
        return Place(self.name, readable_by, nothing_there=self.nothing_there, module=module)

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
        unread = progress.bookmark.unread
        parent_ids = sorted({*self._to_visit(progress, began), *unread})
        self._due_again = set(unread)
        self._checkpoint, self._tracker = progress.checkpoint, progress.tracker
        progress.expect(len(parent_ids))
        self._progress = VisitProgress(self.name, parent_ids, partial(self._visited, progress, began))
        for parent_id in parent_ids:
            since = progress.complete_from if parent_id in unread else progress.since
            asked = None if self._tracker else since
            yield {self.parent_key: parent_id, "updated_since": asked, "changed_since": since}

    @override
    def first_path(self, stream_slice: Slice) -> str:
        return f"{self._parent_path}/{stream_slice[self.parent_key]}/{self.below_parent}"

    @override
    def read_partition(self, stream_slice: Slice) -> Iterator[Row]:
        parent_id, ids, doubts = stream_slice[self.parent_key], set[int](), Event()
        for page in self.list_reader.new_pages(stream_slice, doubts.set):
            ids.update(row["id"] for row in page.rows)
            self._tell_tracker(parent_id, page.rows)
            changed = changed_since(page.rows, stream_slice["changed_since"])
            for row in changed:
                row[self.parent_key] = parent_id
            yield from self.odd_rows.records(changed, self._shape.record)
        if self._tracker and not doubts.is_set():
            self._tracker.visited_whole(self.name, parent_id, ids)
        self.odd_rows.check()

    def _tell_tracker(self, parent_id: int, rows: list[Row]) -> None:
        """These are going to be delivered of what is below a parent."""
        if not self._tracker:
            return
        is_limited = self.limited_by_start_date
        has_more = self._tracker.delivered_children(self.name, parent_id, rows, is_limited=is_limited)
        if has_more and self.cursor_column:
            self._checkpoint()  # or a sync that is killed would not know what it delivered

    @override
    def asks_again(self, stream_slice: Slice, status: int, times: int) -> bool:
        if status != 404:
            return False
        parent_id = stream_slice[self.parent_key]
        if times == 1:
            return self._is_there(parent_id)
        self._leave_unread(parent_id)
        return False

    def _is_there(self, parent_id: int) -> bool:
        """Whether a parent still is, by its own answer.

        Raises `HarvestError`.
        """
        path, of_list = f"{self._parent_path}/{parent_id}", self.sibling(self.parent).place
        place = Place(path, of_list.readable_by, nothing_there=(404,), module=of_list.module)
        self.list_reader.count_request()
        with self._account.explained(place):
            if self._client.get(f"{self.url_base}{path}", place) is not None:
                return True
        # A module that was switched off meanwhile answers 404 too, and then nobody's children were deleted.
        self.sibling(self.parent).probe()
        return False

    def _leave_unread(self, parent_id: int) -> None:
        """What is below a parent cannot be known in this sync.

        Raises `HarvestError` where that is so below too many.
        """
        with self._lock:
            has_room = len(self._unread) < MOST_UNREAD
            if has_room:
                self._unread.add(parent_id)
        if not has_room:
            raise HarvestError(
                f"Harvest answered 404 to the requests for {self.place.name} of more than {MOST_UNREAD} "
                f"{self._parent_path}, which are still there. The next sync asks for them again; should it fail too, "
                "see Harvest's status page.",
                FailureType.transient_error,
                status=404,
            )
        logger.warning(
            "%s: Harvest answered 404 twice below %s/%d, which is still there. So its %s are not known, and none of "
            "them counts as deleted; the next sync asks for them again. Look at it in Harvest should this come back.",
            *(self.name, self._parent_path, parent_id, self.name),
        )

    @override
    def partition_done(self, stream_slice: Slice, progress: StreamProgress, began: datetime) -> None:
        if self._progress is None:
            raise RuntimeError("a slice ended that was never begun")
        parent_id = stream_slice[self.parent_key]
        with self._lock:
            self._due_again.discard(parent_id)
        self._progress.visited(parent_id)

    @override
    def final_state(self, progress: StreamProgress, began: datetime) -> StreamState:
        if self._tracker:  # before the state that vouches for what was visited
            self._tracker.emit_state_if_changed()
        return super().final_state(progress, began)

    def _unread_parents(self) -> tuple[int, ...]:
        """Those to be visited in the next sync because they could not be in this one, or not yet."""
        with self._lock:
            return tuple(sorted(self._unread | self._due_again))

    def _to_visit(self, progress: StreamProgress, began: datetime) -> Iterator[int]:
        """The ids of the parents to ask."""
        yield from self._parents

    def _visited(self, progress: StreamProgress, began: datetime, up_to_parent: int, unread: list[int]) -> None:
        """Up to a parent all were visited but for some."""


class ChangedParentsStream(PerParentStream):
    """A list below each record of a parent's list, of which each sync asks only where there may be something new.

    Not every change of a child shows at its parent (B72 of docs/harvest-behaviour.md). So the first read visits every
    parent, and later ones those that changed; once a day also those that are alive or changed lately; and every
    `child_full_read_days` all of them. What a visit asks for is what changed since all parents were visited last.
    """

    cursor_field = "updated_at"
    limited_by_start_date = True
    is_refused_as_one = False
    extra_state_keys = ("delivered",)
    living_states: ClassVar[tuple[str, ...]]
    """The states of a parent in which more children are to be expected."""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._has_whole_list = False
        self._visit = ParentScope.CHANGED

    @override
    def load_extra_state(self, kept: Mapping[str, Any]) -> None:
        self._delivered = KnownIds(kept.get("delivered", ())).groups

    @override
    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]:
        untold = progress.tracker.untold(self.name) if progress.tracker else self._delivered
        return {"delivered": [part_of(untold)]} if untold else {}

    @override
    def since(self, bookmark: StreamState) -> str | None:
        return bookmark.children_since(self.overlap)

    @override
    def list_since(self, progress: StreamProgress) -> str | None:
        # Harvest's clock is not known before its first answer. Where the local one errs, a whole list is asked for in
        # vain, or the visits that are due are made by the next sync.
        self._has_whole_list = self._due(progress, datetime.now(timezone.utc)) is not ParentScope.CHANGED
        return None if self._has_whole_list else progress.bookmark.since(self.overlap)

    @override
    def _visited(self, progress: StreamProgress, began: datetime, up_to_parent: int, unread: list[int]) -> None:
        progress.visited(began, up_to_parent, tuple(sorted({*unread, *self._unread_parents()})))

    @override
    def final_state(self, progress: StreamProgress, began: datetime) -> StreamState:
        read, before = super().final_state(progress, began), progress.bookmark
        first = before.began or began
        return replace(
            read,
            unread=self._unread_parents(),
            all_parents=first if self._visit is ParentScope.ALL else before.all_parents,
            living_parents=before.living_parents if self._visit is ParentScope.CHANGED else first,
        )

    def _due(self, progress: StreamProgress, now: datetime) -> ParentScope:
        bookmark, days = progress.bookmark, progress.full_read_days
        unfinished = bookmark.visit if bookmark.began else ParentScope.CHANGED
        is_settled = days and bookmark.all_parents and (now - bookmark.all_parents).days < days
        if not is_settled or unfinished is ParentScope.ALL:
            return ParentScope.ALL
        is_of_today = bookmark.living_parents and bookmark.living_parents.date() == now.date()
        return ParentScope.CHANGED if is_of_today and unfinished is ParentScope.CHANGED else ParentScope.LIVING

    @override
    def _to_visit(self, progress: StreamProgress, began: datetime) -> Iterator[int]:
        self._visit = self._due(progress, began) if self._has_whole_list else ParentScope.CHANGED
        progress.begin_visits(self._visit)
        bookmark = progress.bookmark
        changed = timestamp((bookmark.cursor or began) - self.overlap)
        recent = timestamp(began - RECENTLY)
        for id_, parent in self._parents.items():
            if attempt := bookmark.attempt(id_):
                is_due = is_changed_since(parent, timestamp(attempt.began - self.overlap))
            else:
                is_living = parent["state"] in self.living_states or is_changed_since(parent, recent)
                is_due = self._visit is ParentScope.ALL or is_changed_since(parent, changed)
                is_due |= is_living and self._visit is ParentScope.LIVING
            if is_due:
                yield id_
