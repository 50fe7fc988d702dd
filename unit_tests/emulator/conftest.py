"""The client of the account and the server of `unit_tests/conftest.py`."""

from collections.abc import Iterator

import pytest

from emulator import Harvest, Server
from testing.emulator_client import Client


@pytest.fixture
def client(server: Server, harvest: Harvest) -> Iterator[Client]:
    client = Client(server, harvest, harvest.token)
    with client.session:
        yield client
