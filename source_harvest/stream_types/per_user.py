"""The user behind the credentials, and what is read as of that user's day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import ClassVar

from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.pages import Row
from source_harvest.errors import Place
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.report_periods import local_day


class SignedInUser(HarvestStream):
    """That user's own record, of which no table is made: it says the time zone and the roles.

    https://help.getharvest.com/api-v2/users-api/users/users/
    """

    resource = "users/me"
    readable_by = "everyone"
    list_key = None


class PerUserStream(HarvestStream):
    """A stream for which it matters who asks."""

    takes_at_once = False

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        self._asked_by: Row = {}

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
        self._asked_by = rows[0]
        return ()


class DayStream(PerUserStream):
    """A report of Harvest's, as of a day where that user is."""

    waits_long = True
    list_key = "results"
    open_like: ClassVar[type[HarvestStream]]
    """The list that is open to the same users."""

    @override
    def records_from(self, source: type[HarvestStream], rows: list[Row], progress: StreamProgress) -> Iterable[Row]:
        self._client.report_plan.expect(self.name)
        return super().records_from(source, rows, progress)

    @override
    def probe(self, place: Place | None = None) -> None:
        self.sibling(self.open_like).probe(place or self.place)  # a report is one of the few that Harvest allows

    @property
    def sees_everything(self) -> bool:
        """Whether what Harvest does not show that user is not there."""
        return "administrator" in (self._asked_by.get("access_roles") or ())

    def today(self, moment: datetime) -> date:
        """Which day it is there at a moment."""
        return local_day(moment, self._asked_by.get("timezone"))
