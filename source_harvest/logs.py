"""Loggers for which an error that the connector understands is one line, without a stack trace."""

import logging

from requests.exceptions import RequestException

from source_harvest.errors import HarvestError

# What the CDK adds to its lines at DEBUG: credentials, and what Harvest's answers hold.
PRIVATE = ("headers", "request_body", "body")


def quiet(logger: logging.Logger, level: int | None = None) -> logging.Logger:
    """A logger that writes where the other does, at its level or the given one, and neither headers nor bodies."""
    made = logging.Logger(f"{logger.name}.quiet", level or logger.getEffectiveLevel())  # noqa: LOG001 - shared by nobody
    made.parent = logger
    made.addFilter(_keep)
    return made


def _keep(record: logging.LogRecord) -> bool:
    if record.levelno == logging.INFO and str(record.msg).startswith("Ignoring response"):
        return False  # the CDK's line for each record that is gone; our own is at DEBUG
    for name in PRIVATE:
        record.__dict__.pop(name, None)
    if record.exc_info and isinstance(record.exc_info[1], HarvestError | RequestException):
        record.exc_info = None
    return True
