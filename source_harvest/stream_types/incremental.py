"""Streams of which Harvest can be asked for what changed."""

from typing_extensions import override

from source_harvest.state.stream_state import StreamState
from source_harvest.stream_types.base import HarvestStream


class UpdatedSince(HarvestStream):
    """A list that takes `updated_since`: each sync asks for what changed since the last one, and a little further back.

    The cursor is when the last complete read began, by Harvest's clock.
    """

    cursor_field: str | list[str] = "updated_at"

    @override
    def since(self, last: StreamState) -> str | None:
        return last.since(self.overlap)
