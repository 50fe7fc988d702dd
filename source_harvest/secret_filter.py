"""Registers the secrets of a config with the CDK, which filters them out of all output."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets

NAMES = ("api_token", "client_secret", "refresh_token", "access_token")

# Harvest has no shorter secrets, and filtering shorter texts would make messages unreadable.
SHORTEST = 4

_known: set[str] = set()


def keep_secret(config: Mapping[str, Any]) -> None:
    """Filters the secrets of this config from now on, in place of the earlier ones."""
    credentials = config.get("credentials")
    found = [config.get(name) for name in NAMES]
    found += [credentials.get(name) for name in NAMES] if isinstance(credentials, Mapping) else [credentials]
    _known.clear()
    add_secrets(*_texts(found))


def add_secrets(*texts: str) -> None:
    """Filters these texts too, also as escaped in JSON, Python, a URL or HTML."""
    for text in texts:
        for secret in (text, " ".join(text.split())):
            if len(secret) >= SHORTEST:
                spelled = _spellings(secret)
                _known.update(spelled, *map(_spellings, spelled))
    # Longest first: one may be the beginning of another.
    update_secrets(sorted(_known, key=len, reverse=True))


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
