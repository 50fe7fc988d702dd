"""Compares URLs as urllib3 parses them, which connects to them; rejects those that another parser reads differently."""

import re
from urllib.parse import urlsplit

from urllib3.util import parse_url

DEFAULT_PORTS = {"http": 80, "https": 443}


def is_same_origin(address: str, other: str) -> bool:
    """Whether one server gets the requests, and with them the credentials; false if an address is not plain."""
    try:
        return _origin(address) == _origin(other)
    except ValueError:
        return False


def _origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port of an http or https address.

    Raises `ValueError` if it is not such an address, has a user name, a fragment or an unsafe character, or has another
    origin by Python's own parser.
    """
    url, other = parse_url(address), urlsplit(address)
    host = (url.host or "").strip("[]")
    is_plain = re.fullmatch(r"[!-~]+", address) and not re.search(r"[\\#]", address) and "@" not in other.netloc
    if not (is_plain and host and url.scheme in DEFAULT_PORTS):
        raise ValueError("it is not a plain http or https address")
    if (other.scheme, other.hostname, other.port) != (url.scheme, host, url.port):
        raise ValueError("parsers read it differently")
    return url.scheme, host, url.port or DEFAULT_PORTS[url.scheme]
