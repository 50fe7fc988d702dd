"""The partitions of a stream: slices of shared lists, and slices that only this stream reads."""

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
    """A list could not be read, and the stream has already reported it."""


class StreamPartitions(PartitionGenerator):
    """Generates a stream's partitions: first the lists that no other stream has claimed, then its own slices."""

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
            if stream.needs_whole_lists:
                both = zip(self._lists, self._whole_lists, strict=True)
                if lists := [whole for changes, whole in both if not changes.is_whole]:
                    yield from self._read(lists)
        except ReportedError:
            return
        run.progress.has_all_rows = all(shared_list.holds_all_of(run) for shared_list in self._lists)
        with schema_errors(stream.place):
            slices = list(stream.partitions(run.progress, began))
        stream.odd_rows.check()
        for number, stream_slice in enumerate(slices):
            if run.is_stopped:
                return
            partition = SlicePartition(run, stream_slice, began, self._slots)
            yield partition
            if number == 0 and stream.waits_long:  # the first shows whether Harvest refuses them all
                self._slots.wait(partition.is_over)
        run.finish(began)

    def _read(self, lists: list[SharedList]) -> Generator[Partition, None, datetime]:
        """Yields partitions for the unclaimed lists, waits for all lists, and returns when the first read began."""
        own = [shared_list for shared_list in lists if shared_list.claim()]
        try:
            for shared_list in own:
                yield from self._partitions(shared_list, shared_list.slices())
        except Exception as error:  # fails all claimed lists, so that no stream waits for them
            for claimed in own:
                claimed.fail(error)
            raise
        for shared_list in own:
            yield from self._partitions(shared_list, shared_list.more_slices())
        began = []
        for shared_list in lists:
            try:
                began.append(shared_list.wait())
            except Exception as error:
                if shared_list in own or (isinstance(error, HarvestError) and not self._run.is_unreported(error)):
                    raise ReportedError from error
                raise
        self._run.requests_of_others += sum(shared_list.requests for shared_list in own)
        return min(began)

    def _partitions(self, shared_list: SharedList, list_slices: Iterable[ListSlice]) -> Iterator[Partition]:
        for list_slice in list_slices:
            yield ListPartition(self._run, shared_list, list_slice, self._slots)


class UnknownStream(PartitionGenerator):
    """A stream in the catalog that this connector does not have."""

    def __init__(self, name: str) -> None:
        self._name = name

    @override
    def generate(self) -> Iterator[Partition]:
        raise config_error(
            f'The catalog selects a stream "{redacted(self._name)}", which this connector does not have. '
            "Refresh the connection's schema, or deselect the stream."
        )


class SlotPartition(Partition):
    """A partition that is read while holding a request slot."""

    def __init__(self, run: StreamRun, slot: AbstractContextManager[object]) -> None:
        """`slot` was acquired already and is released after the read.

        So no more partitions are generated than can be read, and those with long slots do not queue behind thousands.
        """
        run.announce()
        self._run = run
        self._slot = slot

    @override
    def stream_name(self) -> str:
        return self._run.stream.name

    @override
    def to_slice(self) -> Mapping[str, Any] | None:
        return None

    @override
    def __hash__(self) -> int:
        return id(self)


class ListPartition(SlotPartition):
    """A slice of a list, read for all streams that are made of the list."""

    def __init__(self, run: StreamRun, shared_list: SharedList, list_slice: ListSlice, slots: RequestSlots) -> None:
        super().__init__(run, slots.slot())
        self._list = shared_list
        self._list_slice = list_slice

    @override
    def read(self) -> Iterator[Record]:
        try:
            with self._slot:
                yield from self._list.read(self._list_slice)
        except HarvestError as error:
            if self._run.is_unreported(error):
                raise


class SlicePartition(SlotPartition):
    """A slice that only this stream reads, such as the messages of one invoice."""

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
        with self._slot:
            if run.is_stopped:
                return
            started = time.monotonic()
            try:
                with schema_errors(stream.place):
                    yield from filter(None, map(run.cdk_record, stream.read_partition(self._slice)))
            except HarvestError as error:
                if run.failed(error, started):
                    raise
                return  # another partition raised the same error, so the stream is incomplete already
            run.succeeded()
            stream.partition_done(self._slice, run.progress, self._began)
