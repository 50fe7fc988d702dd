"""Which account the demo reads: a real one if the environment names a token, else the emulator's."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.child import child

if TYPE_CHECKING:
    from collections.abc import Iterator

    Config = dict[str, Any]

# Harvest allows 100 reports in 15 minutes: nine by month over two years take 225, by year 36.
BY_YEAR = {"report_period": "year"}


class EmulatorError(Exception):
    """The emulator did not start."""


@dataclass(frozen=True)
class RealAccount:
    """An account at Harvest, reached with a personal access token."""

    token: str
    account_id: str | None

    @property
    def name(self) -> str:
        """A name for the account's file; a token without an account id is known by its fingerprint."""
        if self.account_id:
            return re.sub(r"\W", "-", self.account_id)
        return f"account-{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"

    @property
    def title(self) -> str:
        """What is going to be read."""
        return f"Harvest account {self.account_id or 'of the token'}"

    @contextmanager
    def open(self, runs_before: int) -> Iterator[Config]:
        """The config that reads the account."""
        config: Config = {"credentials": {"auth_type": "Token", "api_token": self.token}}
        yield config | BY_YEAR | ({"account_id": self.account_id} if self.account_id else {})


@dataclass(frozen=True)
class EmulatedAccount:
    """A made-up agency, served by the emulator on this machine while the account is open."""

    name: str = "emulator"
    title: str = "A made-up agency, served by an emulator of Harvest on this machine"

    @contextmanager
    def open(self, runs_before: int) -> Iterator[Config]:
        """Start the emulator, which lives through one more working day for each run, and stop it."""
        command = [sys.executable, "-m", "emulator", "--size", "s", "--seed", "1", "--days", str(runs_before)]
        with child(command) as emulator:
            try:
                line = emulator.lines.readline()
                if not line:
                    raise EmulatorError(f"The emulator did not start: {emulator.last_words()}")
                yield json.loads(line) | BY_YEAR
            finally:
                emulator.process.terminate()


def account() -> RealAccount | EmulatedAccount:
    """The account of HARVEST_ACCESS_TOKEN (and HARVEST_ACCOUNT_ID, where the token reaches several)."""
    token = os.environ.get("HARVEST_ACCESS_TOKEN")
    return RealAccount(token, os.environ.get("HARVEST_ACCOUNT_ID")) if token else EmulatedAccount()
