"""The files that a command is given: each is what it should be, or one sentence says what it is not."""

import os
from pathlib import Path
from typing import Any

import orjson

from source_harvest.errors import config_error
from source_harvest.json_text import parsed


def read_json(path: str, what: str) -> Any:
    """The JSON in a file.

    Raises a config `HarvestError` that names the file.
    """
    try:
        return parsed(Path(path).read_bytes())[0]
    except PermissionError as error:
        raise config_error(f"The {what} file {path} cannot be read: {error.strerror}. {_whose(path)}") from None
    except OSError as error:
        raise config_error(f"The {what} file {path} cannot be read: {error.strerror}.") from None
    except orjson.JSONDecodeError as error:
        raise config_error(f"The {what} file {path} is not valid JSON: {error}.") from None


def _whose(path: str) -> str:
    user = os.geteuid()
    try:
        owner = Path(path).stat().st_uid
    except OSError:
        return f"The connector runs as user {user}, which has to be allowed into the folder that holds the file."
    if owner == user:
        return f"It belongs to user {owner}, as which the connector runs, but its mode does not let its owner read it."
    return f"It belongs to user {owner}. It has to belong to user {user}, as which the connector runs."


def is_from_discover(path: str) -> bool:
    """Whether a file holds the catalog that `discover` prints, as its message, among others or by itself."""
    content = Path(path).read_bytes()
    return any(map(_is_discovered, [content, *content.splitlines()]))


def _is_discovered(text: bytes) -> bool:
    try:
        found = parsed(text)[0]
    except orjson.JSONDecodeError:
        return False
    if not isinstance(found, dict):
        return False
    streams = found.get("streams")
    return isinstance(found.get("catalog"), dict) or (
        isinstance(streams, list) and any(isinstance(s, dict) and "json_schema" in s for s in streams)
    )
