"""Makes the configured catalog that `read` needs."""

from collections.abc import Collection, Iterable

from airbyte_cdk.models import (
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
)

from source_harvest.config import MOST_NAMED
from source_harvest.errors import SHOWN_LENGTH, config_error, redacted
from source_harvest.stream_types.base import HarvestStream


def configured_catalog(
    streams: Iterable[HarvestStream], names: Collection[str] | None = None, *, full_refresh: bool = False
) -> ConfiguredAirbyteCatalog:
    """A catalog of the streams with these names, in Harvest's order; None: of all.

    Streams are incremental and deduplicated where Harvest can be asked for changes, and else, or with `full_refresh`,
    read whole each time to replace their tables. Raises a config `HarvestError` for a name that no stream has.
    """
    known = {stream.name: stream for stream in streams}
    advice = f"Name streams of these, after --streams: {', '.join(known)}."
    if names is not None and not names:
        raise config_error(f"No stream is named. {advice}")
    if unknown := [redacted(name, SHOWN_LENGTH) for name in names or () if name not in known][:MOST_NAMED]:
        raise config_error(f"There is no stream {', '.join(unknown)}. {advice}")
    chosen = [stream for name, stream in known.items() if names is None or name in names]
    return ConfiguredAirbyteCatalog([_configured(stream.as_airbyte_stream(), full_refresh) for stream in chosen])


def suggested(streams: Iterable[HarvestStream]) -> list[str]:
    """The names of the streams that a new user is offered."""
    return [stream.name for stream in streams if stream.is_suggested]


def _configured(stream: AirbyteStream, full_refresh: bool) -> ConfiguredAirbyteStream:
    key = stream.source_defined_primary_key
    if full_refresh or SyncMode.incremental not in stream.supported_sync_modes:
        return ConfiguredAirbyteStream(stream, SyncMode.full_refresh, DestinationSyncMode.overwrite, primary_key=key)
    return ConfiguredAirbyteStream(
        stream,
        SyncMode.incremental,
        DestinationSyncMode.append_dedup,
        cursor_field=stream.default_cursor_field,
        primary_key=key,
    )
