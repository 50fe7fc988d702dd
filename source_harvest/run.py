"""The console script, which heeds signals from its first moment on."""

import ctypes
import os
import sys
from contextlib import suppress
from threading import Thread

from source_harvest.output import Output

# Where the CDK says which folder it made for requests that it keeps. This connector keeps none.
CACHE_FOLDER = "REQUEST_CACHE_PATH"

# Of glibc's malloc.h.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8

# Blocks of so many bytes and more, as lie around a parsed page, get memory of their own, which is given back when they
# are freed. By itself glibc raises this to the largest block that was freed, and keeps the memory of all below.
# Pages of 2,000 entries are smaller and take each other's places in the heap, which is a little less work.
OWN_MEMORY = 4_000_000


def run() -> None:
    """Runs the command in `sys.argv`.

    Exits with 0, with 1 after an error, or with 2 where the arguments are wrong. After a SIGTERM, SIGINT or SIGHUP it
    dies of that signal, and where that cannot be, as the first process of a container, exits with 128 + its number.
    """
    os.environ.pop(CACHE_FOLDER, None)
    output = Output(clean_up=_remove_cache_folder)
    output.take_over()
    limit_heap()
    command = Thread(target=_run_command, args=(output,), name="command", daemon=True)
    command.start()
    output.end_by_signal(command)


def _run_command(output: Output) -> None:
    exit_code = 1
    try:
        # Loading it takes a second, and so does not keep signals waiting.
        from source_harvest.entrypoint import execute  # noqa: PLC0415

        exit_code = execute(sys.argv[1:], output)
    except BaseException:  # noqa: BLE001 - whatever it was, the process must end
        sys.excepthook(*sys.exc_info())
    finally:
        output.leave(exit_code)


def limit_heap() -> None:
    """Lets all threads share one heap, before there are any: a heap of its own for each would keep its own peak."""
    with suppress(OSError, AttributeError):  # another C library than glibc, which has no such settings
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, OWN_MEMORY)


def _remove_cache_folder() -> None:
    if folder := os.environ.get(CACHE_FOLDER):
        os.rmdir(folder)  # noqa: PTH106
