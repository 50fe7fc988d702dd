"""Which parents of a list below records are visited, and visits that a sync did not finish."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NamedTuple


class ParentScope(Enum):
    """Which parents are due in a sync."""

    CHANGED = "changed"
    LIVING = "living"
    ALL = "all"


class Attempt(NamedTuple):
    """Visits of one sync that did not come to its end."""

    began: datetime
    up_to_parent: int
    """Up to this id all that were due have been visited, but for those that the state names beside it."""
