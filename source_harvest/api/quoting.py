"""What Harvest said in a failed answer."""

import orjson
import requests

from source_harvest.errors import MOST_QUOTED, redacted


def is_html(response: requests.Response) -> bool:
    """Whether an answer is a page for people, from whatever stands between us and Harvest."""
    return b"<html" in response.content[:500].lower()


def quote(response: requests.Response) -> str:
    """What Harvest said in a failed answer, as one short line without secrets."""
    try:
        body = orjson.loads(response.content)
        text = body.get("message") or body.get("error_description") or body.get("error")
    except (orjson.JSONDecodeError, AttributeError):
        text = "an HTML page" if is_html(response) else response.text
    return redacted(str(text or "no message"), is_broken_off=len(response.content) >= MOST_QUOTED) or "no message"
