"""The files that a command is given: each is what it should be, or one sentence says what it is not."""

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
    except OSError as error:
        raise config_error(f"The {what} file {path} cannot be read: {error.strerror}.") from None
    except orjson.JSONDecodeError as error:
        raise config_error(f"The {what} file {path} is not valid JSON: {error}.") from None
