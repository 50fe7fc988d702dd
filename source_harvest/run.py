"""The console script. It handles signals before it imports the connector."""

import ctypes
import os
import sys
from contextlib import suppress
from threading import Thread

from source_harvest.commands import PROTOCOL
from source_harvest.output import Output

# The CDK puts the folder of its request cache here. This connector caches no requests.
CACHE_FOLDER = "REQUEST_CACHE_PATH"

# Parameters of mallopt, from glibc's malloc.h.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8

# Blocks of at least this many bytes are mapped on their own, so that freeing them returns the memory. By default glibc
# raises this threshold to the largest freed block, and keeps the memory of all smaller ones. Pages of 2,000 entries are
# smaller and reuse the heap, which is a little less work.
OWN_MEMORY = 4_000_000


def run() -> None:
    """Runs the command in `sys.argv`.

    Exits with 0, 1 after an error, or 2 if the arguments are wrong. SIGTERM, SIGINT and SIGHUP end it by that signal;
    the first process of a container exits with 128 + the signal's number instead.
    """
    os.environ.pop(CACHE_FOLDER, None)
    output = Output(clean_up=_remove_cache_folder, holds_logs=_speaks_protocol())
    output.take_over()
    limit_heap()
    command = Thread(target=_run_command, args=(output,), name="command", daemon=True)
    command.start()
    output.end_by_signal(command)


def _run_command(output: Output) -> None:
    exit_code = 1
    try:
        # Importing takes a second; signals must be handled before.
        if _speaks_protocol():
            from source_harvest.entrypoint import execute  # noqa: PLC0415
        else:
            from source_harvest.commands.command_line import execute  # noqa: PLC0415

        exit_code = execute(sys.argv[1:], output)
    except BaseException:  # noqa: BLE001 - the process must end in any case
        sys.excepthook(*sys.exc_info())
    finally:
        output.leave(exit_code)


def _speaks_protocol() -> bool:
    return sys.argv[1:2] != [] and sys.argv[1] in PROTOCOL


def limit_heap() -> None:
    """Makes all threads share one heap, as each heap keeps its peak size. Call before starting threads."""
    with suppress(OSError, AttributeError):  # not glibc: no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, OWN_MEMORY)


def _remove_cache_folder() -> None:
    if folder := os.environ.get(CACHE_FOLDER):
        os.rmdir(folder)  # noqa: PTH106
