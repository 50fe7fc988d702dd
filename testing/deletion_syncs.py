"""Syncs that look for deleted records, and what a destination then knows of them."""

from typing import Any

from airbyte_cdk.models import AirbyteMessage, AirbyteStateMessage, SyncMode, Type

from emulator import Harvest
from source_harvest.streams import STREAMS
from testing.destinations import InMemoryDestination
from testing.in_process import Sync, catalog, load_into, state_in, sync
from testing.streams import DELETED, stream_name

WITH_IDS = [stream_name(stream) for stream in STREAMS if stream.primary_key == ["id"]]


class Story:
    """Syncs of a config into one destination, each with the state that is there."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.destination = InMemoryDestination()
        self.said_to_be_back: set[tuple[str, int]] = set()

    def sync(self, streams: list[str], *, until: float = 1, mode: SyncMode = SyncMode.incremental) -> Sync:
        """Takes what comes up to some message, as where it was killed there; up to its end for 1."""
        asked = catalog([name for name in streams if name != DELETED], mode)
        asked.streams += catalog([name for name in streams if name == DELETED]).streams
        result = sync(self.config, streams, state_in(self.destination), asked=asked)
        self.said_to_be_back = {(r["stream"], r["record_id"]) for r in result.records(DELETED) if not r["is_deleted"]}
        load_into(self.destination, result.messages[: int(until * len(result.messages))], asked)
        return result

    def keep(self, states: list[AirbyteStateMessage]) -> None:
        """The destination is given these and no rows."""
        messages = [AirbyteMessage(type=Type.STATE, state=state) for state in states]
        load_into(self.destination, messages, catalog([]))

    def ids(self, stream: str) -> set[int]:
        """Of the rows of a table."""
        return {row["id"] for row in self.destination.held(stream)}

    @property
    def verdicts(self) -> dict[tuple[str, int], bool]:
        """Stream and id of each reported record -> whether it is deleted."""
        return {(row["stream"], row["record_id"]): row["is_deleted"] for row in self.destination.held(DELETED)}

    def said_to_be_deleted(self, stream: str) -> set[int]:
        """The ids of a stream's records that are reported as deleted."""
        return {id_ for (name, id_), is_deleted in self.verdicts.items() if name == stream and is_deleted}


def first_sync(harvest: Harvest, config: dict[str, Any], streams: list[str] = WITH_IDS) -> Story:
    """All of it was read, and a day has passed."""
    story = Story(config)
    story.sync([*streams, DELETED])
    harvest.clock.advance(days=1)
    return story
