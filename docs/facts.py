"""What the docs say of a stream, read from its class and its schema."""

from collections.abc import Mapping
from typing import Any

from airbyte_cdk.sources.utils.casing import camel_to_snake
from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from source_harvest.stream_types.base import HarvestStream


def name_of(stream: type[HarvestStream]) -> str:
    """The name of the table."""
    return camel_to_snake(stream.__name__)


def readable_by(stream: type[HarvestStream]) -> str:
    """Who may read all that the stream is made of."""
    return " and to ".join(dict.fromkeys(source.readable_by for source in stream.asks_for()))


def properties(stream: type[HarvestStream]) -> Mapping[str, Any]:
    """The columns, each with its schema."""
    found: Mapping[str, Any] = ResourceSchemaLoader("source_harvest").get_schema(name_of(stream))["properties"]
    return found


def type_of(described: Mapping[str, Any]) -> str:
    """The type of a column as a word: its format where it has one."""
    types = described["type"] if isinstance(described["type"], list) else [described["type"]]
    return str(described.get("format") or next(type_ for type_ in types if type_ != "null"))
