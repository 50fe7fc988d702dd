"""Which parents a child stream visits, and visits that a sync did not finish."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NamedTuple


class ParentScope(Enum):
    """Which parents a sync visits."""

    CHANGED = "changed"
    LIVING = "living"
    ALL = "all"


class Attempt(NamedTuple):
    """The visits of one sync that did not finish."""

    began: datetime
    up_to_parent: int
    """All due parents up to this id were visited, except those that the state lists as `unread`."""
