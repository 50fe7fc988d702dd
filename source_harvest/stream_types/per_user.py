"""Streams that depend on the user of the credentials: on the roles or the time zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import ClassVar

from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import Slice
from source_harvest.api.timestamps import Row
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.report_periods import local_day


class SignedInUser(HarvestStream):
    """That user's own record, for the time zone and the roles. Not in the catalog.

    https://help.getharvest.com/api-v2/users-api/users/users/
    """

    resource = "users/me"
    readable_by = "everyone"
    list_key = None


class PerUserStream(HarvestStream):
    """A stream that needs the user's own record."""

    takes_at_once = False

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._user: Row = {}

    @classmethod
    @override
    def source_lists(cls) -> tuple[type[HarvestStream], ...]:
        return (SignedInUser,)

    @classmethod
    @override
    def asks_for(cls) -> tuple[type[HarvestStream], ...]:
        return (cls,)

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        self._user = rows[0]
        return ()

    def today(self, moment: datetime) -> date:
        """The day at a moment in the user's time zone."""
        return local_day(moment, self._user.get("timezone"))


class DayStream(PerUserStream):
    """A report of Harvest's, as of the current day in the user's time zone: its rows get that day, `snapshot_date`."""

    waits_long = True
    may_have_smaller_pages = False  # Harvest allows few requests for reports
    list_key = "results"
    open_like: ClassVar[type[HarvestStream]]
    """A list of the same module that the same users may read."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "open_like"):
            cls.readable_by, cls.module = cls.open_like.readable_by, cls.open_like.module

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        self._client.report_plan.expect(self.name)
        return super().records_from(source, rows, progress)

    @override
    def probe(self) -> None:
        self.sibling(self.open_like).list_reader.probe(self.place, {})  # Harvest allows few requests for reports

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        self._client.report_plan.add(self.name, 1)
        yield {}

    @override
    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterator[Row]:
        day = None
        for page in self.list_reader.new_pages(stream_slice):
            day = day or self.today(page.moment).isoformat()
            yield from (self._shape.record({**row, "snapshot_date": day}) for row in page.rows)

    @property
    def sees_everything(self) -> bool:
        """Whether the user sees all rows, so that a row that is not shown does not exist."""
        return "administrator" in (self._user.get("access_roles") or ())
