"""The names of the streams, and the groups of them that tests speak of."""

from airbyte_cdk.sources.utils.casing import camel_to_snake

from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.per_user import PerUserStream
from source_harvest.stream_types.report import ReportStream
from source_harvest.streams import STREAMS


def stream_name(stream: type[HarvestStream]) -> str:
    """The name of a stream's class in snake case."""
    return camel_to_snake(stream.__name__)


STREAM_NAMES = [stream_name(stream) for stream in STREAMS]
WHOLE = [stream_name(stream) for stream in STREAMS if not isinstance(stream.cursor_field, str)]
"""Those that Harvest cannot be asked for by change, so that each sync reads all of them."""
REPORTS = [stream_name(stream) for stream in STREAMS if issubclass(stream, ReportStream)]
DELETED = "deleted_records"
AS_OF_A_DAY = [
    name
    for name, stream in zip(STREAM_NAMES, STREAMS, strict=True)
    if issubclass(stream, PerUserStream) and name != DELETED
]
LISTS = [name for name in STREAM_NAMES if name not in (*WHOLE, *AS_OF_A_DAY, DELETED)]
"""Those of which a later sync reads what changed."""

TIME_STREAMS = ["time_entries", "time_entry_external_reference"]

CURSORS = {
    "invoice_line_items": "invoice_updated_at",
    "estimate_line_items": "estimate_updated_at",
    "time_entry_external_reference": "time_entry_updated_at",
    "pto_request_days": "pto_request_updated_at",
}
