"""A sync: the configured streams, their lists and what hangs on them, on the CDK's concurrent engine."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from queue import Empty, Queue
from threading import Thread

from airbyte_cdk.models import (
    AirbyteEstimateTraceMessage,
    AirbyteMessage,
    AirbyteTraceMessage,
    EstimateType,
    FailureType,
    TraceType,
)
from airbyte_cdk.models import Type as MessageType
from airbyte_cdk.sources.concurrent_source.concurrent_source import ConcurrentSource
from airbyte_cdk.sources.concurrent_source.stream_thread_exception import StreamThreadException
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.message import InMemoryMessageRepository
from airbyte_cdk.sources.streams.concurrent.abstract_stream import AbstractStream
from airbyte_cdk.sources.streams.concurrent.cursor import CursorField
from airbyte_cdk.sources.streams.concurrent.default_stream import DefaultStream
from airbyte_cdk.sources.streams.concurrent.partitions.types import QueueItem
from airbyte_cdk.sources.utils.slice_logger import DebugSliceLogger
from airbyte_cdk.utils import AirbyteTracedException

from source_harvest.census import CensusStream
from source_harvest.cursor import State, StreamCursor
from source_harvest.errors import HarvestError
from source_harvest.gate import PATIENT_AT_ONCE, Gate
from source_harvest.listing import Listing
from source_harvest.logs import quiet
from source_harvest.partitions import StreamPartitions, UnknownStream
from source_harvest.reader import Reader
from source_harvest.signed_in import SignedInUser
from source_harvest.stream import HarvestStream

# Records that wait to be written. Few, so that memory stays flat where the destination is slower than Harvest.
QUEUE_SIZE = 200


class Engine:
    """Runs one sync, with at most `num_workers` lists being read at once."""

    def __init__(self, num_workers: int, gate: Gate, logger: logging.Logger) -> None:
        self._num_workers = num_workers
        self._gate = gate
        self._logger = quiet(logger)
        self._queue: Queue[QueueItem] = Queue(maxsize=QUEUE_SIZE)
        self._census: CensusStream | None = None

    def read(self, readers: list[Reader], unknown: list[str]) -> Iterator[AirbyteMessage]:
        """The messages of the sync; the `unknown` streams, which do not exist, fail among the others.

        Raises `HarvestError` at the end where a stream failed. May be given up at any message: its threads then end.
        """
        streams: list[AbstractStream] = [*self._known(readers), *(self._unknown(name) for name in unknown)]
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
            # The workers would wait for ever for room in a queue that nobody empties.
            self._gate.close()
            Thread(target=_drain, args=(self._queue,), daemon=True).start()
            raise

    def _source(self, stream_count: int) -> ConcurrentSource:
        # Beside those that read, each stream has a thread of its own, which mostly waits for lists.
        return ConcurrentSource.create(
            num_workers=self._num_workers + stream_count + PATIENT_AT_ONCE,
            initial_number_of_partitions_to_generate=stream_count,
            logger=self._logger,
            slice_logger=DebugSliceLogger(),
            message_repository=InMemoryMessageRepository(),
            queue=self._queue,
        )

    def _known(self, readers: list[Reader]) -> Iterator[DefaultStream]:
        own = next((reader for reader in readers if isinstance(reader.stream, CensusStream)), None)
        self._census = own.stream if own and isinstance(own.stream, CensusStream) else None
        listings, whole = self._listings(readers, whole=False), self._listings(readers, whole=True)
        if own and self._census:
            self._census.begin(own, readers, listings[SignedInUser])
        for reader in readers:
            stream = reader.stream
            emits = (self._emit_state, self._emit_estimate, self._emit_error)
            reader.connect(*(partial(emit, stream.name) for emit in emits))
            reader.begin()
            lists = [listings[source] for source in stream.lists()]
            whole_lists = [whole[source] for source in stream.lists()]
            yield DefaultStream(
                partition_generator=StreamPartitions(reader, lists, whole_lists, self._gate),
                name=stream.name,
                json_schema=stream.get_json_schema,
                primary_key=stream.key_columns,
                cursor_field=CursorField(stream.cursor_column) if stream.cursor_column else None,
                logger=self._logger,
                cursor=reader.cursor,
            )

    def _unknown(self, name: str) -> DefaultStream:
        return DefaultStream(
            partition_generator=UnknownStream(name),
            name=name,
            json_schema={},
            primary_key=[],
            cursor_field=None,
            logger=self._logger,
            cursor=StreamCursor(partial(self._emit_state, name), lambda: None),
        )

    def _listings(self, readers: list[Reader], *, whole: bool) -> dict[type[HarvestStream], Listing]:
        readers_of: dict[type[HarvestStream], list[Reader]] = {}
        for reader in readers:
            for source in reader.stream.lists():
                readers_of.setdefault(source, []).append(reader)
        return {
            source: Listing(sharing[0].stream.sibling(source), sharing, self._gate, self._census, whole=whole)
            for source, sharing in readers_of.items()
        }

    # All go onto the queue of the records, so that no state overtakes the rows that it vouches for.

    def _emit_state(self, stream: str, state: State) -> None:
        states = ConnectorStateManager()
        states.update_state_for_stream(stream, None, state)
        self._queue.put(states.create_state_message(stream, None))

    def _emit_estimate(self, stream: str, rows: int) -> None:
        estimate = AirbyteEstimateTraceMessage(name=stream, type=EstimateType.STREAM, row_estimate=rows)
        trace = AirbyteTraceMessage(type=TraceType.ESTIMATE, emitted_at=time.time() * 1000, estimate=estimate)
        self._queue.put(AirbyteMessage(type=MessageType.TRACE, trace=trace))

    def _emit_error(self, stream: str, error: HarvestError) -> None:
        self._queue.put(StreamThreadException(error, stream))


def _note_failure(message: AirbyteMessage, failures: dict[str, FailureType]) -> None:
    error = message.trace.error if message.trace else None
    if error and error.stream_descriptor:
        failures.setdefault(error.stream_descriptor.name, error.failure_type or FailureType.system_error)


def _summary(failures: Mapping[str, FailureType], count: int) -> HarvestError:
    """One error for the sync: the platform tries again unless it takes a user to mend it."""
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
    """Makes room for the workers of a sync that was given up, until they are silent."""
    with suppress(Empty):
        while True:
            queue.get(timeout=60)
