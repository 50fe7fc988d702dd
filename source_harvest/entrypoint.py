"""The command line: `source-harvest spec`, `check`, `discover` and `read`."""

import gc
from collections.abc import Iterator
from typing import Any

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteMessage, ConnectorSpecification
from airbyte_cdk.utils import AirbyteTracedException
from typing_extensions import override

from source_harvest.config import Config, Settings
from source_harvest.output import Output
from source_harvest.source import SourceHarvest

# The CDK leaves out columns that are None when it writes a message. A null says that a column was emptied at Harvest.
NULL = orjson.Fragment("null")


class Entrypoint(AirbyteEntrypoint):
    """The CDK's command line, with config errors that name the field and the cure and show no secret."""

    @staticmethod
    @override
    def validate_connection(source_spec: ConnectorSpecification, config: Config) -> None:
        Settings.of(config, source_spec.connectionSpecification)

    @override
    def read(self, *args: Any) -> Iterator[AirbyteMessage]:
        for message in super().read(*args):
            if message.record:
                data = message.record.data  # a copy, by the CDK
                for column in [column for column, value in data.items() if value is None]:
                    data[column] = NULL
            yield message


def execute(arguments: list[str], output: Output) -> int:
    """Runs a command; returns its exit code.

    Whatever else than an error that was told it raises is a mistake of ours.
    """
    _tune_garbage_collection()
    try:
        entrypoint = Entrypoint(SourceHarvest())
        output.write_lines(entrypoint.run(entrypoint.parse_args(arguments or ["--help"])))
    except AirbyteTracedException as error:
        _tell(error)
        return 1
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def _tell(error: AirbyteTracedException) -> None:
    """Prints an error of ours. The name of a file may hold bytes that UTF-8 cannot, which the CDK cannot print."""
    message = str(error).encode("utf-8", "replace").decode()
    if message != str(error):
        error = AirbyteTracedException(message, message, error.failure_type)
    error.emit_message()


def _tune_garbage_collection() -> None:
    """Makes a tenth less work of rows that come and go in thousands."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
