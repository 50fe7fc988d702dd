"""A made-up account on an emulated Harvest."""

from __future__ import annotations

import pickle
from functools import cache

from emulator.account.state import State
from emulator.sample.agency import build
from emulator.sample.builder import BEGINNING, SIZES
from emulator.sample.working_day import work
from emulator.server.hosted_account import HostedAccount


class Harvest(HostedAccount):
    """The account of an agency of a size (xs, s, m, l). The same size and seed give the same account."""

    def __init__(self, size: str = "xs", seed: int = 0) -> None:
        super().__init__(_small(seed) if size == "xs" else build(size, seed), BEGINNING)
        self._seed = seed
        if not SIZES[size].has_paid_time_off:
            self.modules.discard("pto")

    def work(self, days: int = 1) -> None:
        """Let working days pass, with new, changed, billed and deleted rows."""
        with self.lock:
            for _ in range(days):
                work(self, self._seed)


def _small(seed: int) -> State:
    """The smallest account, of which tests need thousands: unpickling one is thirty times faster than building it."""
    found: State = pickle.loads(_pickled(seed))  # noqa: S301 - pickled below
    return found


@cache
def _pickled(seed: int) -> bytes:
    return pickle.dumps(build("xs", seed))
