"""The files that a command is given: each is what it should be, or one sentence says what it is not."""

from pathlib import Path
from typing import Any

import orjson

from source_harvest.errors import config_error


def read_json(path: str, what: str) -> Any:
    """The JSON in a file.

    Raises a config `HarvestError` that names the file.
    """
    try:
        return orjson.loads(Path(path).read_bytes())
    except OSError as error:
        raise config_error(f"The {what} file {path} cannot be read: {error.strerror}.") from None
    except orjson.JSONDecodeError as error:
        raise config_error(f"The {what} file {path} is not valid JSON: {error}.") from None
