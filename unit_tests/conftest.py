"""What all unit tests need."""

import faulthandler
import time
from collections.abc import Iterator

import pytest
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets


@pytest.fixture
def watched() -> Iterator[None]:
    """What hangs is shown and ended. And no odd secret stays behind for other tests' messages."""
    faulthandler.dump_traceback_later(1800, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    update_secrets([])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Harvest's limit is what one test is about, and what all others would wait for."""
    monkeypatch.setattr("source_harvest.budget.REQUESTS", 1_000_000)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The connector's waits, in seconds, which pass at once."""
    found: list[float] = []
    clock = time.monotonic
    monkeypatch.setattr("source_harvest.errors.JITTER", 0)
    monkeypatch.setattr(time, "sleep", lambda seconds: found.append(seconds) if seconds else None)
    monkeypatch.setattr("source_harvest.gate.Gate.nap", lambda _, seconds: found.append(seconds))
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(found))
    return found
