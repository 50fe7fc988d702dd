"""Harvest's rate limit: so many requests in so many seconds."""

from __future__ import annotations

import math
import time
from collections import deque


class Window:
    """A sliding window over the requests that the rate limit admitted."""

    def __init__(self) -> None:
        self._admitted: deque[float] = deque()

    def wait(self, limit: tuple[int, float]) -> int:
        """Admit a request and return 0, or return the whole seconds until the limit admits the next one."""
        requests, seconds = limit
        now = time.monotonic()
        while self._admitted and self._admitted[0] <= now - seconds:
            self._admitted.popleft()
        if len(self._admitted) < requests:
            self._admitted.append(now)
            return 0
        return max(1, math.ceil(self._admitted[0] + seconds - now))
