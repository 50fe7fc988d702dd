"""The command line: `source-harvest spec`, `check`, `discover` and `read`."""

import os
import sys

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.utils import AirbyteTracedException
from typing_extensions import override

from source_harvest.config import Config, Settings
from source_harvest.source import SourceHarvest


class Entrypoint(AirbyteEntrypoint):
    """The CDK's command line, with config errors that name the field and the cure and show no secret."""

    @staticmethod
    @override
    def validate_connection(source_spec: ConnectorSpecification, config: Config) -> None:
        Settings.of(config, source_spec.connectionSpecification)


def run() -> None:
    """Runs the command in `sys.argv`.

    Exits with 0, with 1 after an error, or with 2 where the arguments are wrong.
    """
    entrypoint = Entrypoint(SourceHarvest())
    arguments = entrypoint.parse_args(sys.argv[1:] or ["--help"])
    try:
        with PRINT_BUFFER:
            for message in entrypoint.run(arguments):
                print(f"{message}\n", end="")
    except AirbyteTracedException as error:
        error.emit_message()
        _leave()
    except BaseException as error:  # noqa: BLE001 - whatever it was, the process must end
        # A pipe that nobody reads, an interrupt, or a mistake of ours, which the CDK's hook makes a TRACE message of.
        if not isinstance(error, BrokenPipeError | SystemExit):
            sys.excepthook(*sys.exc_info())
        _leave()


def _leave() -> None:
    """Ends the process at once: threads that still read would keep it alive until their requests are over."""
    try:
        sys.stdout.flush()
    finally:
        os._exit(1)
