"""The command line: `source-harvest spec`, `check`, `discover` and `read`."""

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.utils import AirbyteTracedException
from typing_extensions import override

from source_harvest.config import Config, Settings
from source_harvest.source import SourceHarvest

# Records are written so many at once, all else with what waits before it. Each write lets the other threads run, which
# gives the interpreter back late; the CDK's PRINT_BUFFER copies all that it holds three times.
LINES_AT_ONCE = 500
MALLOPT_ARENA_MAX = -8  # of glibc's malloc.h
RECORD = '{"type":"RECORD"'


class Entrypoint(AirbyteEntrypoint):
    """The CDK's command line, with config errors that name the field and the cure and show no secret."""

    @staticmethod
    @override
    def validate_connection(source_spec: ConnectorSpecification, config: Config) -> None:
        Settings.of(config, source_spec.connectionSpecification)


def run() -> None:
    """Runs the command in `sys.argv`.

    Exits with 0, with 1 after an error, with 2 where the arguments are wrong, or with 143 when told to end (SIGTERM).
    """
    # The first process of a container would not heed it otherwise.
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    _tune_memory()
    entrypoint = Entrypoint(SourceHarvest())
    arguments = entrypoint.parse_args(sys.argv[1:] or ["--help"])
    try:
        _write(entrypoint.run(arguments))
    except AirbyteTracedException as error:
        error.emit_message()
        _leave()
    except BaseException as error:  # noqa: BLE001 - whatever it was, the process must end
        # A pipe that nobody reads, an interrupt, or a mistake of ours, which the CDK's hook makes a TRACE message of.
        if not isinstance(error, BrokenPipeError | SystemExit):
            sys.excepthook(*sys.exc_info())
        _leave()


def _tune_memory() -> None:
    """Makes a tenth less work of rows that come and go in thousands, in a third less memory."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    with suppress(OSError, AttributeError):  # another C library than glibc, which gives each thread a heap of its own
        ctypes.CDLL(None).mallopt(MALLOPT_ARENA_MAX, 2)


def _write(messages: Iterable[str]) -> None:
    lines: list[str] = []
    try:
        for message in messages:
            lines.append(message)
            if len(lines) == LINES_AT_ONCE or not message.startswith(RECORD):
                sys.stdout.write("\n".join([*lines, ""]))
                sys.stdout.flush()
                lines.clear()
    finally:
        sys.stdout.write("\n".join([*lines, ""] if lines else lines))


def _leave() -> None:
    """Ends the process at once: threads that still read would keep it alive until their requests are over."""
    try:
        sys.stdout.flush()
    finally:
        os._exit(1)
