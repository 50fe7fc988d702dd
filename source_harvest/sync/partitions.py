"""What of a stream can be read on its own: pieces of lists, and its slices."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from threading import Event
from typing import Any

from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.streams.concurrent.partitions.partition_generator import PartitionGenerator
from airbyte_cdk.sources.types import Record
from typing_extensions import override

from source_harvest.api.list_reader import Slice
from source_harvest.api.request_slots import RequestSlots
from source_harvest.errors import HarvestError, config_error, redacted, schema_errors
from source_harvest.sync.date_slices import ListSlice
from source_harvest.sync.shared_list import SharedList
from source_harvest.sync.stream_run import StreamRun


class ReportedError(Exception):
    """A list could not be read, and the stream has said so."""


class StreamPartitions(PartitionGenerator):
    """Announces a stream's partitions: the pieces of lists that no other stream reads for it, and then its slices."""

    def __init__(
        self, run: StreamRun, lists: list[SharedList], whole_lists: list[SharedList], slots: RequestSlots
    ) -> None:
        self._run = run
        self._lists = lists
        self._whole_lists = whole_lists
        self._slots = slots

    @override
    def generate(self) -> Iterator[Partition]:
        run, stream = self._run, self._run.stream
        try:
            began = yield from self._read(self._lists)
            if stream.needs_whole_lists():
                both = zip(self._lists, self._whole_lists, strict=True)
                if lists := [whole for listing, whole in both if not listing.is_whole]:
                    yield from self._read(lists)
        except ReportedError:
            return
        with schema_errors(stream.place):
            slices = list(stream.partitions(run.progress, began))
        stream.odd_rows.check()
        for number, stream_slice in enumerate(slices):
            if run.is_given_up:
                return
            partition = SlicePartition(run, stream_slice, began, self._slots)
            yield self._announced(partition)
            if number == 0 and stream.waits_long:  # it tells whether the others may be read at all
                self._slots.wait(partition.is_over)
        run.finish(began)

    def _read(self, lists: list[SharedList]) -> Generator[Partition, None, datetime]:
        """The pieces of those lists that are not read yet; returns when the reading of all of them began."""
        own = [listing for listing in lists if listing.claim()]
        for listing in own:
            yield from self._partitions(listing, self._pieces(listing, own))
        for listing in own:
            yield from self._partitions(listing, listing.more_pieces())
        began = []
        for listing in lists:
            try:
                began.append(listing.wait())
            except Exception as error:
                if listing in own or (isinstance(error, HarvestError) and not self._run.is_news(error)):
                    raise ReportedError from error
                raise
        self._run.requests_of_others += sum(listing.requests for listing in own)
        return min(began)

    def _pieces(self, listing: SharedList, own: list[SharedList]) -> list[ListSlice]:
        """As `SharedList.pieces`; where that fails, nobody waits for those lists any more."""
        try:
            return listing.pieces()
        except Exception as error:
            for claimed in own:
                claimed.fail(error)
            raise

    def _partitions(self, listing: SharedList, pieces: Iterable[ListSlice]) -> Iterator[Partition]:
        for piece in pieces:
            yield self._announced(ListPartition(self._run, listing, piece, self._slots))

    def _announced(self, partition: Partition) -> Partition:
        self._run.announce()
        return partition


class UnknownStream(PartitionGenerator):
    """A stream of the catalog that the connector does not have."""

    def __init__(self, name: str) -> None:
        self._name = name

    @override
    def generate(self) -> Iterator[Partition]:
        raise config_error(
            f'The catalog asks for a stream "{redacted(self._name)}", which this connector does not have. '
            "Refresh the schema of the connection, or take the stream out of it."
        )


class ReaderPartition(Partition):
    """A partition of a run's stream."""

    def __init__(self, run: StreamRun, entered: AbstractContextManager[object]) -> None:
        """`entered` is held until it has been read.

        So no more are announced than can be read, and what waits for another limit does not queue behind thousands.
        """
        self._run = run
        self._entered = entered

    @override
    def stream_name(self) -> str:
        return self._run.stream.name

    @override
    def to_slice(self) -> Mapping[str, Any] | None:
        return None

    @override
    def __hash__(self) -> int:
        return id(self)


class ListPartition(ReaderPartition):
    """A piece of a list, read for all the streams that are made of it."""

    def __init__(self, run: StreamRun, listing: SharedList, piece: ListSlice, slots: RequestSlots) -> None:
        super().__init__(run, slots.slot())
        self._listing = listing
        self._piece = piece

    @override
    def read(self) -> Iterator[Record]:
        try:
            with self._entered:
                yield from self._listing.read(self._piece)
        except HarvestError as error:
            if self._run.is_news(error):
                raise


class SlicePartition(ReaderPartition):
    """A slice of a stream."""

    def __init__(self, run: StreamRun, stream_slice: Slice, began: datetime, slots: RequestSlots) -> None:
        super().__init__(run, slots.long_slot() if run.stream.waits_long else slots.slot())
        self._slice = stream_slice
        self._began = began
        self.is_over = Event()

    @override
    def read(self) -> Iterator[Record]:
        try:
            yield from self._read()
        finally:
            self.is_over.set()

    def _read(self) -> Iterator[Record]:
        run, stream = self._run, self._run.stream
        with self._entered:
            if run.is_given_up:
                return
            count, started = 0, time.monotonic()
            try:
                with schema_errors(stream.place):
                    for row in stream.read_partition(self._slice):
                        if record := run.record(row):
                            count += 1
                            yield record
            except HarvestError as error:
                run.count(count)
                if run.failed(error, started):
                    raise
                return  # the partition that told it keeps the stream from being complete
            run.succeeded(count)
            stream.partition_done(self._slice, run.progress, self._began)
