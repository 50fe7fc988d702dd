"""Reads the messages that a command printed, for the state and the config that the next one goes on from."""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import orjson

from source_harvest.errors import HarvestError, config_error

logger = logging.getLogger("airbyte")

STANDARD_INPUT = "-"

Message = dict[str, Any]
State = dict[str, Any]


def read_messages(path: str) -> Iterator[Message]:
    """Yields the messages in a file, or in standard input for "-". Holds one line in memory.

    A broken last line is passed over with a warning: the command was stopped while it wrote it.
    Raises a config `HarvestError` for any other line that is not a message, and if the file cannot be read.
    """
    error: HarvestError | None = None
    name = "standard input" if path == STANDARD_INPUT else path
    with _opened(path, name) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if error:
                raise error
            try:
                yield _message(line)
            except ValueError as reason:
                error = _broken(name, number, reason)
    if error:
        logger.warning("The last line of %s is cut off and is passed over.", name)


def next_state(messages: Iterable[Message], previous: Iterable[State]) -> list[State]:
    """The last state of each stream: in the messages, or else the previous one.

    Raises a config `HarvestError` for a state that is not of one stream.
    """
    found: dict[tuple[str | None, str], State] = {}
    for state in (*previous, *(message["state"] for message in messages if message["type"] == "STATE")):
        try:
            descriptor = state["stream"]["stream_descriptor"]
            found[descriptor.get("namespace"), descriptor["name"]] = state
        except (KeyError, TypeError, AttributeError):
            raise config_error(
                "A STATE message in the input is not of one stream. Pass what this connector's read printed."
            ) from None
    return list(found.values())


def next_config(messages: Iterable[Message], config: dict[str, Any]) -> dict[str, Any]:
    """The last config that the connector asked the platform to keep, or else the given one.

    Raises a config `HarvestError` for a CONTROL message without a config.
    """
    for message in messages:
        if message["type"] == "CONTROL":
            try:
                config = message["control"]["connectorConfig"]["config"]
            except (KeyError, TypeError):
                raise config_error(
                    "A CONTROL message in the input holds no config. Pass what this connector printed."
                ) from None
    return config


@contextmanager
def _opened(path: str, name: str) -> Iterator[IO[bytes]]:
    if path == STANDARD_INPUT and sys.stdin is None:
        raise config_error("Standard input is closed. Name the file with the messages.")
    try:
        with nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else Path(path).open("rb") as lines:
            yield lines
    except OSError as error:
        raise config_error(f"The messages in {name} cannot be read: {error.strerror or error}.") from None


def _message(line: bytes) -> Message:
    """Raises `ValueError` if the line is not a message. Its text quotes nothing: the line may hold credentials."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos}") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ValueError("it is not an object with a type")
    if message["type"] in ("STATE", "CONTROL") and not isinstance(message.get(message["type"].lower()), dict):
        raise ValueError(f"it is a {message['type']} message without its content")
    return message


def _broken(name: str, number: int, reason: ValueError) -> HarvestError:
    return config_error(
        f"Line {number} of {name} is not a message of the Airbyte protocol: {reason}. Pass what the connector wrote to "
        "standard output, and nothing else. If two commands wrote to one file and the first was stopped, remove the "
        "line: it holds nothing that was finished."
    )
