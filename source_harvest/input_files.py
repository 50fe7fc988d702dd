"""Reads the config, catalog and state files, with errors that say what is wrong with them."""

import os
from pathlib import Path
from typing import Any

import orjson

from source_harvest.api.json_text import parsed
from source_harvest.errors import config_error


def read_json(path: str, what: str) -> Any:
    """The JSON in a file. `what`: config, catalog or state. Raises a config `HarvestError` that names the file."""
    try:
        return parsed(Path(path).read_bytes())[0]
    except OSError as error:
        whose = f" {_whose(path)}" if isinstance(error, PermissionError) else ""
        raise config_error(f"The {what} file {path} cannot be read: {error.strerror}.{whose}") from None
    except orjson.JSONDecodeError as error:
        raise config_error(f"The {what} file {path} is not valid JSON: {error}.") from None


def _whose(path: str) -> str:
    user = os.geteuid()
    try:
        owner = Path(path).stat().st_uid
    except OSError:
        return f"The connector runs as user {user}: give that user access to the file's folder."
    if owner == user:
        return (
            f"It belongs to user {owner}, as whom the connector runs, but its mode does not let its owner read it. "
            "Run chmod u+r on it."
        )
    return f"It belongs to user {owner}, but the connector runs as user {user}: change its owner to user {user}."


def is_from_discover(path: str) -> bool:
    """Whether a file holds the catalog that `discover` prints: its output, its message or only the catalog."""
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
