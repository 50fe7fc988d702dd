"""How this account is set up, and which of several possible Harvests it is where Harvest's way is not known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.account.state import Row
    from emulator.server.rate_limit import Request


def _all_modules() -> set[str]:
    return {"expense", "invoice", "estimate", "team", "approval"}


@dataclass(repr=False, eq=False)
class Settings:
    """Everything that a test may set, with the defaults of a plain account."""

    # The account.
    modules: set[str] = field(default_factory=_all_modules)
    clock_format: str = "12h"  # or "24h"
    week_start_day: str = "Monday"
    wants_timestamps: bool = True

    # Where Harvest's behaviour is not known.
    module_off_status: int = 404  # or 403
    wrong_account_status: int = 401  # or 404
    since_is_inclusive: bool = True
    totals_in_the_middle: bool = True  # total_pages and total_entries on middle pages by cursor
    sends_undocumented: bool = True
    rearrange: Callable[[str, list[Row]], list[Row]] | None = None  # a list, by its name, as it comes instead
    sends_user_flags: bool = False  # is_admin and the like, gone since 2022

    # The line between client and server.
    page_size_cap: int = 2000
    date_header: bool = True
    latency: float = 0.0  # seconds for each request
    limits: bool = False
    general_limit: tuple[int, float] = (100, 15.0)  # requests, seconds
    report_limit: tuple[int, float] = (100, 900.0)
    retry_after: bool = True
    before_page: Callable[[Request], object] | None = None
