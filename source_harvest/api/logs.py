"""Loggers that write our own errors as one line without a stack trace, and no headers or bodies."""

import logging

from requests.exceptions import RequestException

from source_harvest.errors import HarvestError

# Fields that the CDK adds to its DEBUG lines: credentials, and Harvest's data.
PRIVATE = ("headers", "request_body", "body")


def quiet(logger: logging.Logger, level: int | None = None) -> logging.Logger:
    """A logger that writes where `logger` does, at its level or the given one, but no headers and bodies."""
    quieted = logging.Logger(f"{logger.name}.quiet", level or logger.getEffectiveLevel())  # noqa: LOG001 - not shared
    quieted.parent = logger
    quieted.addFilter(_keep)
    return quieted


def _keep(record: logging.LogRecord) -> bool:
    if record.levelno == logging.INFO and str(record.msg).startswith("Ignoring response"):
        return False  # the CDK's line for each 404 of a deleted record; our own is at DEBUG
    for name in PRIVATE:
        record.__dict__.pop(name, None)
    if record.exc_info and isinstance(record.exc_info[1], HarvestError | RequestException):
        record.exc_info = None
    return True
