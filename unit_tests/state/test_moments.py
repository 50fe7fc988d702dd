"""Moments that cannot be, whoever names them: whatever the answers, each state that was written is read again."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from airbyte_cdk.models import AirbyteStateMessageSerializer

from emulator import Harvest
from source_harvest.api.timestamps import sent_at
from testing.configs import BY_YEAR
from testing.in_process import Sync, sync
from testing.streams import REPORTS, STREAM_NAMES

TRUE = "Mon, 15 Jan 2024 12:00:00 GMT"
DATES = [
    *(TRUE, "Sun, 01 Jan 2006 00:00:00 GMT", "Fri, 31 Dec 2100 23:59:59 GMT"),
    *("Thu, 01 Jan 1960 00:00:00 GMT", "Sat, 31 Dec 2005 23:59:59 GMT", "Sat, 01 Jan 2101 00:00:00 GMT"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2300", "Mon, 01 Jan 0001 00:00:00 +2300"),
    *("Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 15 Jan 2024 12:00:00 -0000", "Mon, 15 Jan 2024 12:00:00 +9959"),
    *("Mon, 15 Jan 99999999999999999999 12:00:00 GMT", "Mon, 15 Jan 2024 12:00:60 GMT", "2024-01-15T12:00:00Z"),
    *("", "x", "0", ",", "Mon, 15 Jan 2024 12:00:00 +99999999999999999999", "Mon, 30 Feb 2024 12:00:00 GMT"),
]
MOMENTS = ["0001-01-01T00:00:00Z", "1960-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-02-30T00:00:00Z", "", None, 5]
DAYS = ["1990-03-01", "9999-12-31", "2024-02-30", "", None, 5]
# One report stands for all, in years, so that a wide span of time has few periods.
NAMES = [name for name in STREAM_NAMES if name not in REPORTS[1:]]


@pytest.mark.parametrize("date", DATES)
def test_a_date_that_cannot_be_is_as_no_date(date: str) -> None:
    response = requests.Response()
    response.headers["Date"] = date
    sent = sent_at(response)
    assert sent is None or 2006 <= sent.year <= 2100


@pytest.mark.parametrize(
    ("date", "sent"),
    [
        (TRUE, "2024-01-15T12:00:00+00:00"),
        ("Mon, 15 Jan 2024 12:00:00 -0000", "2024-01-15T12:00:00+00:00"),
        ("Mon, 15 Jan 2024 12:00:00 +0100", "2024-01-15T11:00:00+00:00"),
    ],
)
def test_a_date_is_in_utc(date: str, sent: str) -> None:
    response = requests.Response()
    response.headers["Date"] = date
    assert str(sent_at(response)).replace(" ", "T") == sent


def told_again(result: Sync) -> list[Any]:
    """The states as the platform gives them back, the last of each stream."""
    last = {state.stream.stream_descriptor.name: state for state in result.state if state.stream}
    return [AirbyteStateMessageSerializer.load(AirbyteStateMessageSerializer.dump(state)) for state in last.values()]


def dates(chance: random.Random, odd: str | None) -> Iterator[str]:
    while True:
        yield odd if odd is not None else chance.choice(DATES)


@pytest.mark.slow
@pytest.mark.parametrize("odd", [*DATES, *range(4)])
def test_each_state_that_was_written_is_read_again(
    odd: str | int, harvest: Harvest, config: dict[str, Any], naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same `Date` in all answers, and with another in each, so that Harvest's clock goes back between two."""
    chance = random.Random(odd)
    every = dates(chance, odd if isinstance(odd, str) else None)
    monkeypatch.setattr("emulator.server.middleware.format_datetime", lambda *_, **__: next(every))
    harvest.page_size_cap = 40
    first = sync({**config, **BY_YEAR}, NAMES)
    for kind, message in first.errors.values():
        assert kind != "config_error", message
    again = sync({**config, **BY_YEAR}, NAMES, told_again(first))
    assert again.error is None or again.error.failure_type.value != "config_error"
    for kind, message in again.errors.values():
        assert kind != "config_error", message
    if isinstance(odd, str):
        assert (first.errors, again.errors) == ({}, {})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_whatever_moments_rows_hold_each_state_is_read_again(
    seed: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    chance = random.Random(seed)
    for table in ("clients", "invoices", "estimates", "expenses", "time_entries", "projects"):
        for row in chance.sample(harvest.listed(table), 2):
            odd: dict[str, Any] = {}
            for column in ("updated_at", "created_at"):
                odd |= {column: chance.choice(MOMENTS)} if chance.random() < 0.5 else {}
            for column in ("spent_date", "issue_date"):
                odd |= {column: chance.choice(DAYS)} if column in row and chance.random() < 0.3 else {}
            harvest.state.row(table, row["id"]).update(odd)
    harvest.page_size_cap = 40
    first = sync({**config, **BY_YEAR}, NAMES)
    again = sync({**config, **BY_YEAR}, NAMES, told_again(first))
    for kind, message in [*first.errors.values(), *again.errors.values()]:
        assert kind != "config_error", message
