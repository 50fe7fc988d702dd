"""Faults on demand, as of a network, a proxy or a server in trouble."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.server.paging import page_number

if TYPE_CHECKING:
    from emulator.server.request_log import Request

KINDS = ("status", "reset", "cut", "broken_json", "html", "slow", "hang")


@dataclass
class Fault:
    """Which requests fail, how, and how many more times (None: always)."""

    kind: str
    path: str
    page: int | None
    larger_than: int | None
    times: int | None
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    def hits(self, request: Request) -> bool:
        """Whether this request fails."""
        return (
            self.times != 0
            and re.search(self.path, request.path) is not None
            and (self.page is None or page_number(request.query) == self.page)
            and (self.larger_than is None or int(request.query.get("per_page", "0")) > self.larger_than)
        )


class Faults:
    """The faults to come. A request gets the first one that matches it."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(  # noqa: PLR0913 - each is a property of the fault, and all but the path are passed by name
        self,
        path: str = "",
        *,
        page: int | None = None,
        larger_than: int | None = None,
        status: int | None = None,
        kind: str = "status",
        times: int | None = 1,
        headers: dict[str, str] | None = None,
        body: bytes | str = b"",
        seconds: float = 0.0,
    ) -> Fault:
        """Make requests fail, `times` times (None: always): those whose path matches the regular expression.

        Given a `page`, only requests for that page; given `larger_than`, only those with a larger `per_page`.

        Kinds: status (an answer with that status, headers and body), reset (the connection, before any answer),
        cut (half of the true answer), broken_json and html (200 unless a status is given), slow (the true answer
        after `seconds`), hang (no answer).
        """
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; kinds are {', '.join(KINDS)}")
        if kind == "status" and status is None:
            raise ValueError("a fault of kind status needs a status")
        body = body.encode() if isinstance(body, str) else body
        fault = Fault(kind, path, page, larger_than, times, status or 200, headers or {}, body, seconds)
        self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self._waiting.clear()

    def take(self, request: Request) -> Fault | None:
        """The fault of this request, counted as used; None if it has none."""
        fault = next((fault for fault in self._waiting if fault.hits(request)), None)
        if fault and fault.times is not None:
            fault.times -= 1
        return fault
