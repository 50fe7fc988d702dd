"""Parses URLs as urllib3 does, which connects to them, and rejects those that another parser reads differently."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """The server that gets a request, and with it the credentials."""

    scheme: str
    host: str
    port: int


def origin(address: str) -> Origin:
    """The origin of an http or https address.

    Raises `ValueError` if it is not such an address, has a user name, a fragment or an unsafe character, or has another
    origin by Python's own parser.
    """
    if not re.fullmatch(r"[!-~]+", address) or re.search(r"[\\#]", address):
        raise ValueError("it has a blank, a backslash, a fragment or a character that is not allowed in an address")
    try:
        url = parse_url(address)
    except LocationParseError:
        raise ValueError("it is not an address") from None
    if url.scheme not in DEFAULT_PORTS or not url.host:
        raise ValueError("it is not an http or https address")
    other = urlsplit(address)
    if "@" in other.netloc:
        raise ValueError("it has a user name")
    if (other.scheme, other.hostname, other.port) != (url.scheme, url.host.strip("[]"), url.port):
        raise ValueError("parsers read it differently")
    return Origin(url.scheme, url.host.strip("[]"), url.port or DEFAULT_PORTS[url.scheme])


def is_same_origin(address: str, other: str) -> bool:
    """Whether two addresses have the same origin; False if `origin` rejects either."""
    try:
        return origin(address) == origin(other)
    except ValueError:
        return False
