"""Loggers that write our own errors as one line without a stack trace, and no headers or bodies."""

import logging

from requests.exceptions import RequestException

from source_harvest.errors import HarvestError

# Fields that the CDK adds to its DEBUG lines: credentials, and Harvest's data.
PRIVATE = ("headers", "request_body", "body")

# The end of the name of a logger that `quiet` made.
QUIET = ".quiet"

# What the CDK says at INFO of a process and of each stream. The statuses in its messages say the same, and the line
# with which a stream ends here says more.
FOR_DEVELOPERS = (
    "MemoryMonitor instantiated",
    "Marking stream ",
    "Syncing stream: ",
    "Read ",
    "Finished syncing ",
    "Ignoring response",  # for each 404 of a deleted record
)


def quiet(logger: logging.Logger, level: int | None = None) -> logging.Logger:
    """A logger that writes where `logger` does, at its level or the given one, but no headers and bodies.

    What is for developers, it writes at DEBUG.
    """
    quieted = logging.Logger(f"{logger.name}{QUIET}", level or logger.getEffectiveLevel())  # noqa: LOG001 - not shared
    quieted.parent = logger
    quieted.addFilter(demote)
    quieted.addFilter(_keep)
    return quieted


def demote(record: logging.LogRecord) -> bool:
    """A filter that makes lines for developers DEBUG; False if their logger writes no such lines."""
    if record.levelno == logging.INFO and str(record.msg).startswith(FOR_DEVELOPERS):
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name.removesuffix(QUIET)).isEnabledFor(logging.DEBUG)
    return True


def _keep(record: logging.LogRecord) -> bool:
    for name in PRIVATE:
        record.__dict__.pop(name, None)
    if record.exc_info and isinstance(record.exc_info[1], HarvestError | RequestException):
        record.exc_info = None
    return True
