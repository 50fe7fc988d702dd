"""Runs one sync of the configured streams on the CDK's concurrent engine."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread

from airbyte_cdk.models import AirbyteMessage, FailureType
from airbyte_cdk.sources.concurrent_source.concurrent_source import ConcurrentSource
from airbyte_cdk.sources.message import InMemoryMessageRepository, NoopMessageRepository
from airbyte_cdk.sources.streams.concurrent.abstract_stream import AbstractStream
from airbyte_cdk.sources.streams.concurrent.cursor import Cursor, FinalStateCursor
from airbyte_cdk.sources.streams.concurrent.default_stream import DefaultStream
from airbyte_cdk.sources.streams.concurrent.partitions.partition_generator import PartitionGenerator
from airbyte_cdk.sources.streams.concurrent.partitions.types import QueueItem
from airbyte_cdk.sources.utils.slice_logger import DebugSliceLogger
from airbyte_cdk.utils import AirbyteTracedException

from source_harvest.api.logs import quiet
from source_harvest.api.request_slots import LONG_SLOTS, RequestSlots
from source_harvest.errors import HarvestError
from source_harvest.state.deletion_tracker import DeletionTracker
from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.deletions import DeletedRecordsStream
from source_harvest.stream_types.per_user import SignedInUser
from source_harvest.sync.partitions import StreamPartitions, UnknownStream
from source_harvest.sync.shared_list import SharedList, WholeList
from source_harvest.sync.stream_run import StreamRun

# Records waiting to be written. Few, so that memory stays flat if the destination is slower than Harvest.
QUEUE_SIZE = 200


class Engine:
    """Runs one sync, reading at most as many partitions at once as there are slots."""

    def __init__(self, slots: RequestSlots, logger: logging.Logger) -> None:
        self._slots = slots
        self._logger = quiet(logger)
        self._queue: Queue[QueueItem] = Queue(maxsize=QUEUE_SIZE)
        self.emit = self._queue.put
        """Queues a message, a record or an error, behind all that was queued before."""

    def read(self, runs: list[StreamRun], unknown: list[str]) -> Iterator[AirbyteMessage]:
        """Yields the messages of the sync. Each name in `unknown`, which no stream has, fails as a stream.

        Raises `HarvestError` at the end if a stream failed. The caller may stop at any message: the threads then end.
        """
        streams: list[AbstractStream] = [*self._known(runs), *map(self._unknown, unknown)]
        if not streams:
            return
        count = len(streams)  # the CDK empties the list
        failures: dict[str, FailureType] = {}
        try:
            for message in self._source(count).read(streams):
                _note_failure(message, failures)
                yield message
        except AirbyteTracedException as error:
            raise _summary(failures, count) if failures else error from error
        except BaseException:
            # Otherwise the workers would wait forever for room in the queue.
            self._slots.close()
            Thread(target=_drain, args=(self._queue,), daemon=True).start()
            raise

    def _source(self, stream_count: int) -> ConcurrentSource:
        # Each stream has one more thread, which generates its partitions and mostly waits for lists.
        return ConcurrentSource.create(
            num_workers=self._slots.width + stream_count + LONG_SLOTS,
            initial_number_of_partitions_to_generate=stream_count,
            logger=self._logger,
            slice_logger=DebugSliceLogger(),
            message_repository=InMemoryMessageRepository(),
            queue=self._queue,
        )

    def _known(self, runs: list[StreamRun]) -> Iterator[DefaultStream]:
        deletions = [
            (run.stream, run.progress)
            for run in runs
            if isinstance(run.stream, DeletedRecordsStream) and run.progress.remembers
        ]
        tracker = deletions[0][0].tracker if deletions else None
        tracked = [found for run in runs if (found := run.stream.tracked(run.progress))] if deletions else []
        lists = self._lists(runs, tracker)
        for deleted_records, progress in deletions:
            deleted_records.track(progress, tracked, lists[SignedInUser][0].wait)
        names = {stream.name for stream in tracked}
        for run in runs:
            run.progress.track(tracker if run.stream.name in names else None)
            partitions = StreamPartitions(run, [lists[source] for source in run.stream.source_lists()], self._slots)
            yield self._stream(run.stream.name, partitions, run)

    def _unknown(self, name: str) -> DefaultStream:
        return self._stream(name, UnknownStream(name), FinalStateCursor(name, None, NoopMessageRepository()))

    def _stream(self, name: str, partitions: PartitionGenerator, cursor: Cursor) -> DefaultStream:
        # Only discover needs the schema, the key and the cursor's name, and it asks the streams themselves.
        return DefaultStream(
            partitions, name, json_schema={}, primary_key=[], cursor_field=None, logger=self._logger, cursor=cursor
        )

    def _lists(
        self, runs: list[StreamRun], tracker: DeletionTracker | None
    ) -> Mapping[type[HarvestStream], tuple[SharedList, SharedList]]:
        """Stream class -> the read of what all streams need of its list, and the read of the whole list."""
        lists = {}
        for source in {source for run in runs for source in run.stream.source_lists()}:
            sharing = [run for run in runs if source in run.stream.source_lists()]
            stream = sharing[0].stream.sibling(source)
            sharing[0].list_readers.add(stream.list_reader)
            shared = stream, sharing, self._slots
            lists[source] = SharedList(*shared, tracker), WholeList(*shared)
        return lists


def _note_failure(message: AirbyteMessage, failures: dict[str, FailureType]) -> None:
    error = message.trace.error if message.trace else None
    if error and error.stream_descriptor:
        failures.setdefault(error.stream_descriptor.name, error.failure_type or FailureType.system_error)


def _summary(failures: Mapping[str, FailureType], count: int) -> HarvestError:
    """One error for the sync, of the worst failure type: the platform does not retry a config error."""
    types = set(failures.values())
    failure_type = next(t for t in (FailureType.config_error, FailureType.system_error, *types) if t in types)
    if count == 1:
        [name] = failures
        return HarvestError(f"The stream {name} could not be read to its end. Its error says why.", failure_type)
    message = (
        f"{len(failures)} of {count} streams could not be read to their end: {', '.join(sorted(failures))}. "
        "The error of each says why."
    )
    others = " The other streams are complete." if len(failures) < count else ""
    return HarvestError(message + others, failure_type)


def _drain(queue: Queue[QueueItem]) -> None:
    """Empties the queue of an aborted sync, so that its workers can end, until none has written for 60 seconds."""
    with suppress(Empty):
        while True:
            queue.get(timeout=60)
