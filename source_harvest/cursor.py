"""What a stream remembers from one sync to the next: the moment at which its last complete read began.

Harvest sorts no list by `updated_at`, so the newest row seen says nothing about the rows still to come; only a read
that came to its end says something, and what it says is: all that changed before it began has been delivered.
"""

from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import Any

import pendulum
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY
from airbyte_cdk.sources.streams.concurrent.cursor import Cursor
from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.types import Record
from typing_extensions import override

from source_harvest.errors import config_error

# Read again at the start of an incremental read, because a change shows in Harvest's lists a little later than its
# time says. The rows that come twice are the same rows, and their key removes them.
OVERLAP = timedelta(minutes=1)

# The keys of the states that Airbyte's earlier connector left for streams that it read per parent.
PER_PARENT_KEYS = {"states", "parent_state", "use_global_cursor"}


def timestamp(moment: datetime) -> str:
    """A moment as Harvest writes it: "2024-01-31T10:00:00Z"."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def second_before(moment: str) -> str:
    """The timestamp one second earlier, for a filter of which nobody says whether it includes its bound."""
    return timestamp(datetime.fromisoformat(moment.replace("Z", "+00:00")) - timedelta(seconds=1))


def cursor_in(stream: str, state: Mapping[str, Any], cursor_field: str) -> datetime | None:
    """The moment that a stream's state holds, or None for a state that says to read everything.

    Takes the states of this connector, {"updated_at": "2024-01-31T10:00:00Z"}, and those of Airbyte's earlier
    one: the same, and a form per parent, which left out children of old parents and so is read anew.
    Raises a config `HarvestError` for anything else.
    """
    if not state or state.keys() == {NO_CURSOR_STATE_KEY} or state.keys() & PER_PARENT_KEYS:
        return None
    value = state.get(cursor_field, state.get("updated_at"))
    try:
        moment = pendulum.parse(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if not isinstance(moment, pendulum.DateTime):
        raise config_error(
            f'The state of the stream "{stream}" cannot be read: it is {dict(state)!r} where a moment such as '
            f'{{"{cursor_field}": "2024-01-31T10:00:00Z"}} is expected. Clear the stream\'s data to read it anew.'
        )
    return moment


class MomentCursor(Cursor):
    """Emits a stream's state once: when all its partitions have been announced, and all of them read to their end.

    A stream that fails emits none, so its next sync starts where the last complete one did.
    """

    def __init__(self, cursor_field: str | None, emit: Callable[[Mapping[str, Any]], None]) -> None:
        self._cursor_field = cursor_field
        self._emit = emit
        self._lock = Lock()
        self._open_partitions = 0
        self._began: datetime | None = None

    def announce(self) -> None:
        """One more partition is going to be read."""
        with self._lock:
            self._open_partitions += 1

    def all_announced(self, began: datetime) -> None:
        """No more partitions will come, and what they hold was read from this moment on, by Harvest's clock."""
        with self._lock:
            self._began = began
            self._emit_if_complete()

    @override
    def close_partition(self, partition: Partition) -> None:
        with self._lock:
            self._open_partitions -= 1
            self._emit_if_complete()

    def _emit_if_complete(self) -> None:
        if self._began and self._open_partitions == 0:
            self._emit(self.state)

    @property
    @override
    def state(self) -> MutableMapping[str, Any]:
        if not self._cursor_field:
            return {NO_CURSOR_STATE_KEY: True}
        return {self._cursor_field: timestamp(self._began)} if self._began else {}

    @override
    def observe(self, record: Record) -> None:
        """Rows say nothing about what is still to come."""

    @override
    def ensure_at_least_one_state_emitted(self) -> None:
        """A stream that failed has nothing new to say."""

    @override
    def should_be_synced(self, record: Record) -> bool:
        return True
