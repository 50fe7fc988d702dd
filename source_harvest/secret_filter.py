"""What is secret in a config, and stays out of all that is written."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets, update_secrets

NAMES = ("api_token", "client_secret", "refresh_token", "access_token")

# A shorter text is no secret of Harvest's, and to leave it out would make each message unreadable.
SHORTEST = 4

# A text may have been broken off within the last so many characters in the middle of a secret.
LONGEST = 4_000

_known: set[str] = set()


def keep_secret(config: Mapping[str, Any]) -> None:
    """From now on leaves out what is secret in that config, instead of what was before."""
    credentials = config.get("credentials")
    found = [config.get(name) for name in NAMES]
    found += [credentials.get(name) for name in NAMES] if isinstance(credentials, Mapping) else [credentials]
    _known.clear()
    add_secrets(*_texts(found))


def add_secrets(*texts: str) -> None:
    """From now on leaves these out too, as they are and as JSON, Python, an address or a page spells them."""
    for text in texts:
        for secret in (text, " ".join(text.split())):
            if len(secret) >= SHORTEST:
                spelled = _spellings(secret)
                _known.update(spelled, *map(_spellings, spelled))
    # The longest first: one may be the beginning of another.
    update_secrets(sorted(_known, key=len, reverse=True))


def without_secrets(text: str, *, is_broken_off: bool = False) -> str:
    """The text with asterisks for each secret; without its end where that may be half of one."""
    text = filter_secrets(text)
    return text[:-LONGEST] if is_broken_off else text


def _spellings(text: str) -> set[str]:
    address, as_json = quote(text, safe=""), json.dumps(text)[1:-1]
    return {
        text,
        repr(text)[1:-1],
        as_json,
        as_json.replace("/", "\\/"),
        re.sub("[&<>]", lambda found: f"\\u{ord(found[0]):04x}", as_json),
        address,
        re.sub("%..", lambda found: found[0].lower(), address),
        quote(text),
        quote_plus(text),
        html.escape(text),
    }


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        yield from _texts(list(values.values()))
    elif isinstance(values, list):
        for value in values:
            yield from _texts(value)
