"""A sync that nobody reads on asks Harvest for nothing more."""

import time
from typing import Any

import pytest

from emulator import Harvest, Server
from source_harvest.source import SourceHarvest
from testing.configs import config_of
from testing.in_process import LOGGER, catalog
from testing.streams import STREAM_NAMES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("names", [["time_entries"], STREAM_NAMES], ids=["one list", "all"])
def test_a_sync_that_is_given_up_asks_for_nothing_more(
    names: list[str], harvest: Harvest, config: dict[str, Any]
) -> None:
    harvest.page_size_cap, harvest.latency = 2, 0.05
    reading = SourceHarvest().read(LOGGER, {**config, "num_workers": 2}, catalog(names))
    next(message for message in reading if message.record)
    reading.close()
    asked = len(harvest.requests)
    time.sleep(1)
    assert len(harvest.requests) <= asked + 2  # what was on its way


def test_no_more_is_read_ahead_than_the_queue_holds() -> None:
    """While nobody looks at the rows for a while."""
    big = Harvest(size="s")
    big.page_size_cap = 100
    with Server(big) as server:
        reading = SourceHarvest().read(LOGGER, config_of(big, server), catalog(["time_entries"]))
        next(message for message in reading if message.record)
        time.sleep(3)
        asked = len(big.requests)
        rest = sum(1 for message in reading if message.record)
    assert rest + 1 == len(big.listed("time_entries"))
    assert asked < len(big.requests)
