"""One stream in one sync: its records, its errors, and when its state is emitted."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from threading import Event, RLock
from typing import Any

import orjson
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.concurrent_source.stream_thread_exception import StreamThreadException
from airbyte_cdk.sources.message import NoopMessageRepository
from airbyte_cdk.sources.streams.concurrent.cursor import FinalStateCursor
from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.types import Record
from typing_extensions import override

from source_harvest.api.list_reader import Slice
from source_harvest.api.timestamps import Row
from source_harvest.errors import HarvestError, TriesUsedUpError, redacted, schema_errors
from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.odd_rows import OddRowsError

logger = logging.getLogger("airbyte")

# After this many transient failures in a row, a stream's other partitions are skipped.
FAULTS_IN_A_ROW = 3


class StreamRun(FinalStateCursor):
    """One stream in one sync. As the CDK's cursor it emits no state before the rows that the state covers.

    The final state is emitted once all partitions have been generated and read. Harvest sorts no list by `updated_at`,
    so the newest row seen says nothing about the rows still to come. A stream that fails emits no final state: its next
    sync starts where the last complete one did, or at the last checkpoint of a first read.
    """

    def __init__(self, stream: HarvestStream, progress: StreamProgress) -> None:
        super().__init__(stream.name, None, NoopMessageRepository())
        self.stream = stream
        self.progress = progress
        self.is_stopped = False
        """Its remaining partitions are skipped, as they would fail too."""
        self.list_readers = {stream.list_reader}
        """Those whose requests its summary counts: its own, and those of shared lists."""
        self._lock = RLock()
        self._rows = 0
        self._faults = 0
        self._fault_at = 0.0
        self._reported: set[str] = set()
        self._began = time.monotonic()
        self._open_partitions = 0
        self._complete_as_of: datetime | None = None

    def cdk_record(self, row: Row) -> Record | None:
        """The row as a record of the stream, and counts it; None if it cannot be written as JSON.

        Such a row fails this stream only.
        """
        try:
            orjson.dumps([[row]])  # as deep as in its message
        except orjson.JSONEncodeError as error:
            self._leave_out(row, error)
            return None
        with self._lock:
            self._rows += 1
        return Record(data=row, stream_name=self.stream.name)

    def _leave_out(self, row: Row, reason: Exception) -> None:
        key = ", ".join(f"{column} {row.get(column)!r}" for column in self.stream.primary_key)
        message = (
            f"A row of {self.stream.name} ({redacted(key)}) cannot be written as JSON ({reason}) and is left out, so "
            "the stream is incomplete; its other rows are read. Change the row in Harvest, or deselect the stream."
        )
        with self._lock:
            is_first, self.progress.has_left_out = not self.progress.has_left_out, True
        if is_first:
            self.progress.emit(StreamThreadException(HarvestError(message, FailureType.system_error), self.stream.name))
        else:
            logger.warning(message)

    def read_slice(self, stream_slice: Slice, began: datetime) -> Iterator[Record]:
        """The records of a slice that only this stream reads, such as the messages of one invoice.

        Raises `HarvestError`.
        """
        if self.is_stopped:
            return
        started = time.monotonic()
        try:
            with schema_errors(self.stream.place):
                records = self.stream.read_partition(stream_slice, self.progress)
                yield from filter(None, map(self.cdk_record, records))
            self.stream.odd_rows.check()
        except HarvestError as error:
            self._failed(error, started)
            raise
        with self._lock:
            self._faults = 0
        self.stream.partition_done(stream_slice, self.progress, began)

    def _failed(self, error: HarvestError, began: float) -> None:
        """A slice failed. `began`: seconds on `time.monotonic()` at its start.

        One record may fail forever and must not block the others. But after `FAULTS_IN_A_ROW` transient errors in a row
        the rest would only fail slowly, so they are skipped.
        """
        with self._lock:
            is_fault = error.failure_type is FailureType.transient_error or isinstance(error, TriesUsedUpError)
            if is_fault and began >= self._fault_at:
                self._faults += 1
                self._fault_at = time.monotonic()
                if self._faults == FAULTS_IN_A_ROW:
                    logger.warning(
                        "%s: %d partitions in a row failed, so the rest are skipped", self.stream.name, FAULTS_IN_A_ROW
                    )
            is_refused = error.failure_type is FailureType.config_error and self.stream.is_refused_as_one
            self.is_stopped |= is_refused or error.status == 401 or self._faults >= FAULTS_IN_A_ROW

    def is_unreported(self, error: HarvestError) -> bool:
        """Whether the stream reports this error for the first time."""
        with self._lock:
            reported = type(error).__name__ if isinstance(error, OddRowsError) else str(error)
            is_unreported = reported not in self._reported
            self._reported.add(reported)
            return is_unreported

    # When the state is emitted.

    def announce(self) -> None:
        """Counts one more partition that will be read."""
        with self._lock:
            self._open_partitions += 1

    def finish(self, began: datetime) -> None:
        """All partitions are generated. Once they are read, the stream is complete as of `began`."""
        with self._lock:
            self._complete_as_of = began
            self._emit_if_complete()

    @override
    def close_partition(self, partition: Partition) -> None:
        with self._lock:
            self._open_partitions -= 1
            self._emit_if_complete()

    def _emit_if_complete(self) -> None:
        if self._complete_as_of and self._open_partitions == 0:
            self.progress.emit_state(self.stream.final_state(self.progress, self._complete_as_of))

    @override
    def ensure_at_least_one_state_emitted(self) -> None:
        """The CDK's last call for a stream, also after a failure. Emits no state: a failed stream has none."""
        self.progress.is_over.set()
        self.stream.odd_rows.warn()
        seconds = time.monotonic() - self._began
        requests = sum(reader.requests for reader in self.list_readers)
        logger.info("%s: rows: %d, requests: %d, time: %.1f s", self.stream.name, self._rows, requests, seconds)


class SlotPartition(Partition):
    """A slice that is read while holding a request slot: of a shared list, or one that only this stream reads."""

    def __init__(self, run: StreamRun, slot: AbstractContextManager[object], records: Iterator[Record]) -> None:
        """`slot` was acquired already and is released after the read.

        So no more partitions are generated than can be read, and those with long slots do not queue behind thousands.
        """
        run.announce()
        self._run = run
        self._slot = slot
        self._records = records
        self.is_over = Event()

    @override
    def read(self) -> Iterator[Record]:
        try:
            with self._slot:
                yield from self._records
        except HarvestError as error:
            if self._run.is_unreported(error):  # else the stream is incomplete already
                raise
        finally:
            self.is_over.set()

    @override
    def stream_name(self) -> str:
        return self._run.stream.name

    @override
    def to_slice(self) -> Mapping[str, Any] | None:
        return None

    @override
    def __hash__(self) -> int:
        return id(self)
