"""The command line: `source-harvest spec`, `check`, `discover` and `read`."""

import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import AirbyteMessage, ConnectorSpecification
from airbyte_cdk.utils import AirbyteTracedException
from typing_extensions import override

from source_harvest.config import Config, Settings
from source_harvest.source import SourceHarvest

# Records are written so many at once, all else with what waits before it. Each write lets the other threads run, which
# gives the interpreter back late; the CDK's PRINT_BUFFER copies all that it holds three times.
LINES_AT_ONCE = 500
MALLOPT_ARENA_MAX = -8  # of glibc's malloc.h
RECORD = '{"type":"RECORD"'

# The CDK leaves out columns that are None when it writes a message. A null says that a column was emptied at Harvest.
NULL = orjson.Fragment("null")

logger = logging.getLogger("airbyte")


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
                message.record.data = {k: NULL if v is None else v for k, v in message.record.data.items()}
            yield message


class Terminated(BaseException):
    """The platform asked the process to end, by a SIGTERM."""


class Output:
    """Standard output, in whole lines even where a SIGTERM comes in the middle of one."""

    def __init__(self) -> None:
        self._is_writing = False
        self._is_over = False

    def write(self, messages: Iterable[str]) -> None:
        """Writes messages as they come; after an error also those that came before it.

        Raises `Terminated` after a SIGTERM.
        """
        lines: list[str] = []
        try:
            for message in messages:
                lines.append(message)
                if len(lines) == LINES_AT_ONCE or not message.startswith(RECORD):
                    self._write(lines)
        finally:
            self._write(lines)

    def terminate(self, *_: object) -> None:
        """What a SIGTERM does, the first time."""
        was_over, self._is_over = self._is_over, True
        if not (was_over or self._is_writing):
            raise Terminated

    def _write(self, lines: list[str]) -> None:
        self._is_writing = True
        try:
            with PRINT_BUFFER.lock:  # which the logs of other threads take; without it they could land within a line
                sys.stdout.write("".join(f"{line}\n" for line in lines))
                sys.stdout.flush()
        finally:
            self._is_writing = False
        lines.clear()
        if self._is_over:
            raise Terminated


def run() -> None:
    """Runs the command in `sys.argv`.

    Exits with 0, with 1 after an error, with 2 where the arguments are wrong, or with 143 after a SIGTERM.
    """
    _tune_memory()
    output = Output()
    signal.signal(signal.SIGTERM, output.terminate)  # which the first process of a container would not heed otherwise
    try:
        entrypoint = Entrypoint(SourceHarvest())
        output.write(entrypoint.run(entrypoint.parse_args(sys.argv[1:] or ["--help"])))
    except AirbyteTracedException as error:
        error.emit_message()
        _leave(1)
    except Terminated:
        logger.info("Ended by a SIGTERM. The last state of each stream holds; the next sync goes on from there.")
        _leave(128 + signal.SIGTERM)
    except SystemExit as error:
        _leave(int(error.code or 0))
    except BaseException as error:  # noqa: BLE001 - whatever it was, the process must end
        # A pipe that nobody reads, an interrupt, or a mistake of ours, which the CDK's hook makes a TRACE message of.
        if not isinstance(error, BrokenPipeError):
            sys.excepthook(*sys.exc_info())
        _leave(1)


def _tune_memory() -> None:
    """Makes a tenth less work of rows that come and go in thousands, in a third less memory."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    with suppress(OSError, AttributeError):  # another C library than glibc, which gives each thread a heap of its own
        ctypes.CDLL(None).mallopt(MALLOPT_ARENA_MAX, 2)


def _leave(exit_code: int) -> None:
    """Ends the process at once: threads that still read would keep it alive until their requests are over."""
    try:
        sys.stdout.flush()
    finally:
        os._exit(exit_code)
