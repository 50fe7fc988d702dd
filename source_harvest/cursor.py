"""When a stream's state is emitted: never before the rows that it vouches for."""

from collections.abc import Callable, Mapping, MutableMapping
from threading import Lock
from typing import Any

from airbyte_cdk.sources.streams.concurrent.cursor import Cursor
from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.types import Record
from typing_extensions import override

State = Mapping[str, Any]


class StreamCursor(Cursor):
    """Emits a stream's final state once all its partitions have been announced, and all of them read to their end.

    Harvest sorts no list by `updated_at`, so the newest row seen says nothing about the rows still to come; only a
    read that came to its end says something. A stream that fails emits no final state, so its next sync starts where
    the last complete one did, or at the last checkpoint of a first read.
    """

    def __init__(self, emit: Callable[[State], None], when_over: Callable[[], None]) -> None:
        """`emit` puts a state behind the records that were read so far; `when_over` is called at the stream's end."""
        self._emit = emit
        self._when_over = when_over
        self._lock = Lock()
        self._open_partitions = 0
        self._final: Callable[[], State] | None = None
        self._has_failed = False

    def announce(self) -> None:
        """One more partition is going to be read."""
        with self._lock:
            self._open_partitions += 1

    def all_announced(self, final: Callable[[], State]) -> None:
        """No more partitions will come; when all of them are read, this gives the state."""
        with self._lock:
            self._final = final
            self._emit_if_complete()

    def checkpoint(self, state: State) -> None:
        """The state for now; called by the thread that read what it vouches for."""
        if not self._has_failed:
            self._emit(state)

    def fail(self) -> None:
        """A row was left out, for which no state may vouch from now on; called by the thread that read it."""
        self._has_failed = True

    @override
    def close_partition(self, partition: Partition) -> None:
        with self._lock:
            self._open_partitions -= 1
            self._emit_if_complete()

    def _emit_if_complete(self) -> None:
        if self._final is not None and self._open_partitions == 0 and not self._has_failed:
            self._emit(self._final())

    @property
    @override
    def state(self) -> MutableMapping[str, Any]:
        return dict(self._final() if self._final else {})

    @override
    def observe(self, record: Record) -> None:
        """A row says nothing about what is still to come."""

    @override
    def ensure_at_least_one_state_emitted(self) -> None:
        """The CDK's last call for a stream, whether it succeeded or not. What failed has no state to emit."""
        self._when_over()

    @override
    def should_be_synced(self, record: Record) -> bool:
        return True
