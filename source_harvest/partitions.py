"""What of a stream can be read on its own: the lists that it leads, and its slices."""

from collections.abc import Iterator, Mapping
from typing import Any

from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition
from airbyte_cdk.sources.streams.concurrent.partitions.partition_generator import PartitionGenerator
from airbyte_cdk.sources.types import Record
from typing_extensions import override

from source_harvest.cursor import MomentCursor
from source_harvest.errors import config_error, told
from source_harvest.gate import Gate
from source_harvest.listing import Listing, Reader
from source_harvest.stream import HarvestStream, Slice


class StreamPartitions(PartitionGenerator):
    """Announces a stream's partitions: first the lists that it leads, and when all its lists are read, its slices."""

    def __init__(self, reader: Reader, lists: list[Listing], cursor: MomentCursor, gate: Gate) -> None:
        self._reader = reader
        self._lists = lists
        self._cursor = cursor
        self._gate = gate

    @override
    def generate(self) -> Iterator[Partition]:
        stream = self._reader.stream
        led = [listing for listing in self._lists if listing.lead is stream]
        for listing in led:
            self._cursor.announce()
            yield ListPartition(stream, listing, self._gate)
        began = []
        for listing in self._lists:
            try:
                began.append(listing.wait())
            except Exception:
                if listing in led:  # the partition that read it has said so already
                    return
                raise
        for stream_slice in stream.slices(self._reader.since):
            self._cursor.announce()
            yield SlicePartition(stream, stream_slice, self._gate)
        self._cursor.all_announced(min(began))


class UnknownStream(PartitionGenerator):
    """A stream of the catalog that the connector does not have."""

    def __init__(self, name: str) -> None:
        self._name = name

    @override
    def generate(self) -> Iterator[Partition]:
        raise config_error(
            f'The catalog asks for a stream "{self._name}", which this connector does not have. '
            "Refresh the schema of the connection, or take the stream out of it."
        )


class ListPartition(Partition):
    """The reading of a list for all the streams that are made of it."""

    def __init__(self, lead: HarvestStream, listing: Listing, gate: Gate) -> None:
        self._lead = lead
        self._listing = listing
        self._gate = gate

    @override
    def read(self) -> Iterator[Record]:
        with self._gate.entered():
            yield from self._listing.read()

    @override
    def to_slice(self) -> Mapping[str, Any] | None:
        return None

    @override
    def stream_name(self) -> str:
        return self._lead.name

    @override
    def __hash__(self) -> int:
        return id(self)


class SlicePartition(Partition):
    """The reading of one slice of a stream."""

    def __init__(self, stream: HarvestStream, stream_slice: Slice, gate: Gate) -> None:
        self._stream = stream
        self._slice = stream_slice
        self._gate = gate

    @override
    def read(self) -> Iterator[Record]:
        with self._gate.entered():
            try:
                for row in self._stream.read_slice(self._slice):
                    yield Record(data=row, stream_name=self._stream.name)
            except Exception as error:
                raise told(error, self._stream.place) from error

    @override
    def to_slice(self) -> Slice:
        return self._slice

    @override
    def stream_name(self) -> str:
        return self._stream.name

    @override
    def __hash__(self) -> int:
        return id(self)
