"""The requests that arrived, and how many of them Harvest's rate limits let through."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass


@dataclass
class Request:
    """One request as it arrived, and the status of its answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # keys in lower case
    at: float  # seconds of time.monotonic()
    status: int | None = None  # None: not answered, or the connection broken


class Window:
    """Counts the requests that were let through in the last seconds."""

    def __init__(self) -> None:
        self._admitted: deque[float] = deque()

    def wait(self, limit: tuple[int, float]) -> int:
        """Zero, and the request counts; or the whole seconds after which one more will be let through."""
        requests, seconds = limit
        now = time.monotonic()
        while self._admitted and self._admitted[0] <= now - seconds:
            self._admitted.popleft()
        if len(self._admitted) < requests:
            self._admitted.append(now)
            return 0
        return max(1, math.ceil(self._admitted[0] + seconds - now))
