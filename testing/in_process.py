"""Checks and syncs in this process, through the connector's front door, and what came out of them."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteCatalogSerializer,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    Status,
    SyncMode,
)
from airbyte_cdk.utils import AirbyteTracedException

from emulator import Harvest
from source_harvest.source import SourceHarvest
from testing.destinations import InMemoryDestination
from testing.streams import STREAM_NAMES

Record = dict[str, Any]

LOGGER = logging.getLogger("airbyte.test")


@dataclass
class Sync:
    """The messages of one sync, in their order, and the error that ended it."""

    messages: list[AirbyteMessage] = field(default_factory=list)
    error: AirbyteTracedException | None = None

    def records(self, stream: str) -> list[Record]:
        """The rows of a stream, in order."""
        return [m.record.data for m in self.messages if m.record and m.record.stream == stream]

    @property
    def counts(self) -> dict[str, int]:
        """Stream -> how many records; streams without any are left out."""
        names = [m.record.stream for m in self.messages if m.record]
        return {name: names.count(name) for name in names}

    @property
    def state(self) -> list[AirbyteStateMessage]:
        """What the next sync is given, as the platform keeps it."""
        return [m.state for m in self.messages if m.state]

    @property
    def states(self) -> dict[str, Mapping[str, Any]]:
        """Stream -> its last state."""
        return {s.stream.stream_descriptor.name: vars(s.stream.stream_state) for s in self.state if s.stream}

    @property
    def statuses(self) -> dict[str, str]:
        """Stream -> its last status."""
        found = [m.trace.stream_status for m in self.messages if m.trace and m.trace.stream_status]
        return {status.stream_descriptor.name: status.status.value for status in found}

    @property
    def errors(self) -> dict[str, tuple[str, str]]:
        """Stream -> the type and the message of its error."""
        found = [m.trace.error for m in self.messages if m.trace and m.trace.error]
        return {e.stream_descriptor.name: (e.failure_type.value, e.message) for e in found}


def catalog(streams: Iterable[str], mode: SyncMode = SyncMode.incremental) -> ConfiguredAirbyteCatalog:
    """These streams, incremental where they can be and the mode allows it; the tables of others are overwritten."""
    return ConfiguredAirbyteCatalog(streams=[_configured(replace(_discovered()[name]), mode) for name in streams])


@cache
def _discovered() -> dict[str, AirbyteStream]:
    """The streams, which are the same for every account."""
    config = {"credentials": {"auth_type": "Token", "api_token": "any"}}
    return {stream.name: stream for stream in SourceHarvest().discover(LOGGER, config).streams}


def _configured(stream: AirbyteStream, mode: SyncMode) -> ConfiguredAirbyteStream:
    if mode in stream.supported_sync_modes and mode is SyncMode.incremental:
        modes = SyncMode.incremental, DestinationSyncMode.append_dedup
    else:
        modes = SyncMode.full_refresh, DestinationSyncMode.overwrite
    return ConfiguredAirbyteStream(stream=stream, sync_mode=modes[0], destination_sync_mode=modes[1])


def sync(
    config: Mapping[str, Any],
    streams: Iterable[str],
    state: list[AirbyteStateMessage] | None = None,
    mode: SyncMode = SyncMode.incremental,
    asked: ConfiguredAirbyteCatalog | None = None,
) -> Sync:
    """Reads the streams to the end, or to the error that ends the sync."""
    result = Sync()
    try:
        for message in SourceHarvest().read(LOGGER, dict(config), asked or catalog(streams, mode), state):
            result.messages.append(message)
    except AirbyteTracedException as error:
        result.error = error
    return result


def state_of(stream: str, state: Mapping[str, Any]) -> list[AirbyteStateMessage]:
    """A state message, as the platform gives it back."""
    message = {"type": "STREAM", "stream": {"stream_descriptor": {"name": stream}, "stream_state": state}}
    return [AirbyteStateMessageSerializer.load(message)]


def kills(result: Sync, name: str) -> Iterator[Sync]:
    """What was seen of a sync that was killed right after each of a stream's checkpoints."""
    for index, message in enumerate(result.messages):
        state = message.state
        if state and state.stream and state.stream.stream_descriptor.name == name:
            yield Sync(result.messages[: index + 1])


def check(config: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the connection can be made, and what is said."""
    status = SourceHarvest().check(LOGGER, dict(config))
    return status.status is Status.SUCCEEDED, status.message or ""


def load_into(
    destination: InMemoryDestination, messages: Iterable[AirbyteMessage], asked: ConfiguredAirbyteCatalog
) -> None:
    """What came of a sync, whole or up to where it was killed, as lines of JSON."""
    lines = map(AirbyteEntrypoint.airbyte_message_to_string, messages)
    destination.load(lines, ConfiguredAirbyteCatalogSerializer.dump(asked))


def state_in(destination: InMemoryDestination) -> list[AirbyteStateMessage] | None:
    """What the next sync is given; None before the first."""
    return [AirbyteStateMessageSerializer.load(state) for state in destination.state()] or None


@cache
def catalog_of(*names: str) -> ConfiguredAirbyteCatalog:
    """These streams, incremental where they can be; made once and not to be changed."""
    return catalog(names)


def first_sync(harvest: Harvest, config: dict[str, Any]) -> Sync:
    """A sync of everything, after which an hour passes."""
    harvest.clock.advance(hours=1)
    result = sync(config, STREAM_NAMES)
    harvest.clock.advance(hours=1)
    return result
