"""The partitions of a stream: slices of shared lists, and slices that only this stream reads."""

from collections.abc import Generator, Iterator
from datetime import datetime

from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.streams.concurrent.partitions.partition_generator import PartitionGenerator
from typing_extensions import override

from source_harvest.api.request_slots import RequestSlots
from source_harvest.errors import HarvestError, config_error, redacted, schema_errors
from source_harvest.sync.shared_list import SharedList
from source_harvest.sync.stream_run import SlotPartition, StreamRun


class ReportedError(Exception):
    """A list could not be read, and the stream has already reported it."""


class StreamPartitions(PartitionGenerator):
    """Generates a stream's partitions: first the lists that no other stream has claimed, then its own slices."""

    def __init__(self, run: StreamRun, lists: list[tuple[SharedList, SharedList]], slots: RequestSlots) -> None:
        """`lists`: the read of what all streams need of each list, and the read of the whole list."""
        self._run = run
        self._lists = lists
        self._slots = slots

    @override
    def generate(self) -> Iterator[Partition]:
        run, stream = self._run, self._run.stream
        try:
            began = yield from self._read([shared for shared, _ in self._lists])
            if stream.needs_whole_lists and (lists := [whole for shared, whole in self._lists if not shared.is_whole]):
                yield from self._read(lists)
        except ReportedError:
            return
        run.progress.has_all_rows = all(shared.holds_all_of(run) for shared, _ in self._lists)
        with schema_errors(stream.place):
            slices = list(stream.partitions(run.progress, began))
        stream.odd_rows.check()
        for number, stream_slice in enumerate(slices):
            if run.is_stopped:
                return
            slot = self._slots.slot(is_long=stream.waits_long)
            partition = SlotPartition(run, slot, run.read_slice(stream_slice, began))
            yield partition
            if number == 0 and stream.waits_long:  # the first shows whether Harvest refuses them all
                self._slots.wait(partition.is_over)
        run.finish(began)

    def _read(self, lists: list[SharedList]) -> Generator[Partition, None, datetime]:
        """Yields partitions for the unclaimed lists, waits for all lists, and returns when the first read began."""
        own = {shared_list: shared_list.slices() for shared_list in lists if shared_list.claim()}
        try:
            for shared_list, slices in own.items():
                list_slice = next(slices)  # before it holds a slot, as it may wait for the user's record
                yield SlotPartition(self._run, self._slots.slot(), shared_list.read(list_slice))
        except Exception as error:  # fails all claimed lists, so that no stream waits for them
            for claimed in own:
                claimed.fail(error)
            raise
        for shared_list, slices in own.items():
            for list_slice in slices:
                yield SlotPartition(self._run, self._slots.slot(), shared_list.read(list_slice))
        began = []
        for shared_list in lists:
            try:
                began.append(shared_list.wait())
            except Exception as error:
                if shared_list in own or (isinstance(error, HarvestError) and not self._run.is_unreported(error)):
                    raise ReportedError from error
                raise
        return min(began)


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
