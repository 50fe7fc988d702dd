"""The files that a command is given: each is what it should be, or one sentence says what it is not."""

import json
from pathlib import Path
from typing import Any

from source_harvest.errors import config_error


def read_json(path: str, what: str) -> Any:
    """The JSON in a file.

    Raises a config `HarvestError` that names the file.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise config_error(f"The {what} file {path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise config_error(f"The {what} file {path} is not valid JSON: {error}.") from None
