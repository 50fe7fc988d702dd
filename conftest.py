"""A made-up account, the emulator that serves it, and the config that leads there."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from emulator import Harvest, Server

pytest.register_assert_rewrite("testing")

from testing.configs import config_of  # noqa: E402 - its asserts are rewritten, as those of tests are

# Properties are tried on the same inputs each time, and a machine that is busy with other things fails none of them.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")

# The fixtures of the CDK's standard tests, for integration_tests/test_acceptance.py.
pytest_plugins = ["airbyte_cdk.test.standard_tests.pytest_hooks"]


@pytest.fixture
def harvest() -> Harvest:
    """A small agency's account in which every special case occurs."""
    return Harvest(size="xs", seed=0)


@pytest.fixture
def server(harvest: Harvest) -> Iterator[Server]:
    with Server(harvest) as server:
        yield server


@pytest.fixture
def config(harvest: Harvest, server: Server) -> dict[str, Any]:
    return config_of(harvest, server)


@pytest.fixture
def oauth_config(harvest: Harvest, config: dict[str, Any]) -> dict[str, Any]:
    """Of an administrator, with OAuth."""
    credentials = {
        "auth_type": "Client",
        "client_id": harvest.oauth.client_id,
        "client_secret": harvest.oauth.client_secret,
        "refresh_token": harvest.oauth.refresh_token,
    }
    return {**config, "credentials": credentials}
