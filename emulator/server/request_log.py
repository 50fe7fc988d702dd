"""The log of requests that a test reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Request:
    """One request as it arrived, and the status of its answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # keys in lower case
    at: float  # seconds of time.monotonic()
    status: int | None = None  # None: no answer yet, or the connection broke
