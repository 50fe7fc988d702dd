"""Answers about one user at a time, as of a day."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from threading import Lock
from typing import ClassVar

import requests
from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.either_envelope import with_ids
from source_harvest.api.error_handler import refused
from source_harvest.api.list_reader import Slice
from source_harvest.api.pages import Page
from source_harvest.api.session import object_of
from source_harvest.api.timestamps import Row
from source_harvest.errors import Place
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.per_user import PerUserStream, SignedInUser

logger = logging.getLogger("airbyte")

REFUSALS = (403, 404)


class UserSnapshots(PerUserStream):
    """What Harvest answers for each user and the current year, as of the day of the sync.

    Users for whom Harvest refuses the answer are left out, unless it does so for all.
    """

    cursor_field = "snapshot_date"
    identified_by = ("user_id",)
    list_key = None
    users: ClassVar[type[HarvestStream]]
    """The list of the users."""
    embedded_in: ClassVar[str]
    """The field of an answer that holds its records; they repeat the other fields."""

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._ids: set[int] = set()
        self._lock = Lock()
        self._answered = 0
        self._refused: dict[int, int] = {}

    @classmethod
    @override
    def source_lists(cls) -> tuple[type[HarvestStream], ...]:
        return (cls.users, SignedInUser)

    @classmethod
    @override
    def asks_for(cls) -> tuple[type[HarvestStream], ...]:
        return (cls.users, cls)

    @property
    @override
    def place(self) -> Place:
        return replace(super().place, nothing_there=REFUSALS)

    @override
    def probe(self) -> None:
        user_id, year = self._account.user(self.place)["id"], datetime.now(timezone.utc).year
        self.list_reader.probe(super().place, {"user_id": user_id, "year": year})

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        if source is SignedInUser:
            return super().records_from(source, rows, progress)
        self._ids.update(row["id"] for row in rows)
        return ()

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        day = self.today(began)
        for user_id in sorted(self._ids):
            yield {"user_id": user_id, "year": day.year, "day": day.isoformat()}

    @override
    def first_path(self, stream_slice: Slice) -> str:
        return f"{self.resource}?user_id={stream_slice['user_id']}&year={stream_slice['year']}"

    @override
    def page_of(self, response: requests.Response) -> Page:
        with_ids([object_of(response)], self.identified_by)
        return Page.of(response, self.list_key, self.identified_by)

    @override
    def asks_again(self, stream_slice: Slice, status: int, times: int) -> bool:
        with self._lock:
            self._refused[stream_slice["user_id"]] = status
        return False

    @override
    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterator[Row]:
        for page in self.list_reader.new_pages(stream_slice):
            for answer in page.rows:
                yield from self._shape.records(self._inside(answer, stream_slice))

    def _inside(self, answer: Row, stream_slice: Slice) -> Iterator[Row]:
        if answer["user_id"] != stream_slice["user_id"]:
            raise ValueError(f"it was to be about the user {stream_slice['user_id']}")
        about = {"year": stream_slice["year"], **answer, "snapshot_date": stream_slice["day"]}
        for item in about.pop(self.embedded_in):
            fields = item if isinstance(item, dict) else {}  # a row without a key is odd, and takes no other with it
            yield {**about, **{name: value for name, value in fields.items() if value is not None or name not in about}}

    @override
    def partition_done(self, stream_slice: Slice, progress: StreamProgress, began: datetime) -> None:
        """Counts a user as done; after the last one, tells of those who were refused.

        Raises `HarvestError` if all were.
        """
        with self._lock:
            self._answered += 1
            if self._answered < len(self._ids) or not self._refused:
                return
        user_id, status = min(self._refused.items())
        if len(self._refused) == len(self._ids):
            place = super().place
            with self._account.explained(place):
                raise refused(place, status, f"Harvest answered {status}", " of every user")
        logger.warning(
            "%s: Harvest refused to answer for %d of %d users, who are left out (the first: user %d, status %d)",
            *(self.name, len(self._refused), len(self._ids), user_id, status),
        )
