"""The stream of deleted records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.list_reader import Slice
from source_harvest.api.timestamps import Row, timestamp
from source_harvest.errors import HarvestError, config_error, schema_errors
from source_harvest.state.deletion_tracker import DeletionTracker, TrackedStream
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.per_user import PerUserStream

logger = logging.getLogger("airbyte")


class DeletedRecordsStream(PerUserStream):
    """The deleted records of the other selected streams whose records have an id."""

    extra_state_keys = ("start", "lists", "ids", "gone")

    def __init__(self, account: HarvestAccount) -> None:
        super().__init__(account)
        settings = self._client.settings
        self.tracker = DeletionTracker(self.place, settings.start, settings.deleted_records_days, self.odd_rows.fail)

    @override
    def probe(self) -> None:
        with self._account.explained(self.place):
            self._admit(self._account.user(self.place))

    def _admit(self, user: Mapping[str, Any]) -> None:
        if "administrator" not in (user.get("access_roles") or ()):
            raise config_error(
                "Only an Administrator sees all records. A record that another user no longer sees may still exist, so "
                f"{self.name} is read for Administrators only. Use an Administrator's credentials, or deselect the "
                "stream."
            )

    def track(self, progress: StreamProgress, tracked: list[TrackedStream], user_came: Callable[[], datetime]) -> None:
        """Starts to track these streams. `user_came` waits for the user's record, and returns when Harvest sent it."""

        def asked_at() -> datetime | None:
            with suppress(HarvestError), schema_errors(self.place):
                moment = user_came()
                self._admit(self._user)
                return moment
            return None

        self.tracker.begin(progress.stream_state, tracked, asked_at, progress.checkpoint)

    @override
    def load_extra_state(self, kept: Mapping[str, Any]) -> None:
        self.tracker.load(kept)

    @override
    def extra_state(self, progress: StreamProgress) -> Mapping[str, Any]:
        return self.tracker.state()

    @override
    def partitions(self, progress: StreamProgress, began: datetime) -> Iterator[Slice]:
        self._admit(self._user)
        if not progress.remembers:
            logger.warning("%s finds no deletions if it is not read incrementally", self.name)
        started = time.monotonic()
        self.tracker.wait_for_all(self._client.slots.wait)
        yield {"began": began, "ended": began + timedelta(seconds=time.monotonic() - started)}

    @override
    def read_partition(self, stream_slice: Slice, progress: StreamProgress) -> Iterator[Row]:
        detected_at = timestamp(stream_slice["ended"])
        for name, id_, is_deleted in self.tracker.settle(stream_slice["began"], self._account.is_off):
            row = {"stream": name, "record_id": id_, "detected_at": detected_at, "is_deleted": is_deleted}
            yield self._shape.record(row)
