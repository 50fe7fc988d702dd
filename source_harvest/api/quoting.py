"""Quotes what Harvest said in a failed response."""

import orjson
import requests

from source_harvest.errors import MOST_QUOTED, redacted


def is_html(response: requests.Response) -> bool:
    """Whether a response is an HTML page, such as a proxy sends."""
    return b"<html" in response.content[:500].lower()


def quote(response: requests.Response) -> str:
    """What Harvest said in a failed response, as one short line without secrets."""
    try:
        body = orjson.loads(response.content)
        text = body.get("message") or body.get("error_description") or body.get("error")
    except (orjson.JSONDecodeError, AttributeError):
        text = "an HTML page" if is_html(response) else response.text
    return redacted(str(text or "no message"), is_broken_off=len(response.content) >= MOST_QUOTED) or "no message"
