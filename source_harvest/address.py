"""Addresses, read as the library reads them that connects, and only where no other would read them differently."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where a request for an address goes, and with it the credentials."""

    scheme: str
    host: str
    port: int


def origin(address: str) -> Origin:
    """Where an http or https address leads.

    Raises `ValueError` where it is none, holds a user name, a fragment or a character that parsers understand
    differently, or leads elsewhere by Python's own parser.
    """
    if not re.fullmatch(r"[!-~]+", address) or re.search(r"[\\#]", address):
        raise ValueError("it holds a blank, a backslash, a fragment or a character that no address has")
    try:
        url = parse_url(address)
    except LocationParseError:
        raise ValueError("it is no address") from None
    if url.scheme not in DEFAULT_PORTS or not url.host:
        raise ValueError("it is no http or https address")
    other = urlsplit(address)
    if "@" in other.netloc:
        raise ValueError("it holds a user name")
    if (other.scheme, other.hostname, other.port) != (url.scheme, url.host.strip("[]"), url.port):
        raise ValueError("it can be understood in two ways")
    return Origin(url.scheme, url.host.strip("[]"), url.port or DEFAULT_PORTS[url.scheme])


def is_same_origin(address: str, other: str) -> bool:
    """Whether a request for an address goes to where one for the other goes; not for one that is refused."""
    try:
        return origin(address) == origin(other)
    except ValueError:
        return False
