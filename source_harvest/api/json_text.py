"""Parses JSON as leniently as ordinary parsers do."""

import json
import re
from typing import Any

import orjson

# An escaped half of a surrogate pair, which UTF-8 cannot hold; group 1 is a whole pair, or any other escape.
_HALF_PAIR = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[^u])|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def parsed(content: bytes | bytearray, charset: str | None = None) -> tuple[Any, bool]:
    """The value, and whether text in it was replaced by U+FFFD because UTF-8 cannot hold it.

    Also reads a byte order mark, UTF-16, UTF-32 and, where the content is not UTF-8, the declared `charset`.
    Raises `orjson.JSONDecodeError`.
    """
    try:
        return orjson.loads(content), False
    except orjson.JSONDecodeError:
        text, is_replaced = _decoded(content, charset)
    body = text.encode("utf-8", "replace")
    mended = _HALF_PAIR.sub(lambda escape: escape[1] or rb"\ufffd", body)
    return orjson.loads(mended), is_replaced or mended != body


def _decoded(content: bytes | bytearray, charset: str | None) -> tuple[str, bool]:
    seen = json.detect_encoding(content)
    for encoding in (seen, charset or seen):
        try:
            return content.decode(encoding), False
        except (UnicodeError, LookupError):
            continue
    return content.decode(seen, "replace"), True
