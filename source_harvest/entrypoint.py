"""The command line: `source-harvest spec`, `check`, `discover` and `read`."""

import gc
import logging
from collections.abc import Iterator
from typing import Any

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteMessage, ConnectorSpecification
from airbyte_cdk.utils import AirbyteTracedException
from typing_extensions import override

from source_harvest.api.logs import demote
from source_harvest.config import Config, Settings
from source_harvest.output import Output, with_nulls
from source_harvest.source import SourceHarvest


class Entrypoint(AirbyteEntrypoint):
    """The CDK's command line, with our config check, whose errors name the field and show no secret."""

    @staticmethod
    @override
    def validate_connection(source_spec: ConnectorSpecification, config: Config) -> None:
        Settings.of(config, source_spec.connectionSpecification)

    @override
    def read(self, *args: Any) -> Iterator[AirbyteMessage]:
        return map(with_nulls, super().read(*args))


def execute(arguments: list[str], output: Output) -> int:
    """Runs a command; returns its exit code, 1 after a reported error.

    Any exception that it raises is a bug of the connector.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # saves a tenth of the processor time: thousands of rows are created and freed
    logging.getLogger("airbyte").addFilter(demote)
    try:
        entrypoint = Entrypoint(SourceHarvest())
        output.write_lines(entrypoint.run(entrypoint.parse_args(arguments)))
    except AirbyteTracedException as error:
        _tell(error)
        return 1
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def _tell(error: AirbyteTracedException) -> None:
    """Prints an error. Bytes of a file name that are not UTF-8 are replaced, as the CDK cannot print them."""
    message = str(error).encode("utf-8", "replace").decode()
    if message != str(error):
        error = AirbyteTracedException(message, message, error.failure_type)
    error.emit_message()
