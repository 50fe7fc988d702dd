"""How an account is set up, and how Harvest behaves where its behaviour is not known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.account.state import Row
    from emulator.server.request_log import Request

MODULES = ("expense", "invoice", "estimate", "approval", "team")
HIDDEN_MODULES = ("pto",)  # of which the company says nothing


@dataclass(repr=False, eq=False)
class Settings:
    """Everything that a test may set. The defaults are those of a plain account."""

    # The account.
    modules: set[str] = field(default_factory=lambda: {*MODULES, *HIDDEN_MODULES})
    clock_format: str = "12h"  # or "24h"
    week_start_day: str = "Monday"

    # Where Harvest's behaviour is not known.
    module_off_status: int = 404  # or 403
    shows_hidden_modules: bool = False
    wrong_account_status: int = 401  # or 404
    since_is_inclusive: bool = True
    totals_in_the_middle: bool = True  # total_pages and total_entries on middle pages by cursor
    rearrange: Callable[[str, list[Row]], list[Row]] | None = None  # from a list's name and rows: the rows as sent

    # Network and rate limits.
    page_size_cap: int = 2000
    date_header: bool = True
    latency: float = 0.0  # seconds for each request
    limits: bool = False  # whether the rate limits are enforced
    general_limit: tuple[int, float] = (100, 15.0)  # requests, seconds
    report_limit: tuple[int, float] = (100, 900.0)
    retry_after: bool = True  # whether a 429 has the header
    before_page: Callable[[Request], object] | None = None  # called before each answer of the API
