"""What all unit tests need."""

import pytest


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Harvest's limit is what one test is about, and what all others would wait for."""
    monkeypatch.setattr("source_harvest.budget.REQUESTS", 1_000_000)
