"""Configs, and how they are read."""

from collections.abc import Mapping
from typing import Any

from emulator import Harvest, Server
from source_harvest.config import Settings
from source_harvest.source import SourceHarvest
from testing.in_process import LOGGER


def config_of(harvest: Harvest, server: Server) -> dict[str, Any]:
    """Of an administrator, with a personal access token."""
    return {
        "credentials": {"auth_type": "Token", "api_token": harvest.token},
        "account_id": str(harvest.account_id),
        "api_url": server.api_url,
        "identity_url": server.identity_url,
    }


def without(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A config that lacks a field."""
    return {key: value for key, value in config.items() if key != name}


SECRET = "4711.pt.very-secret"
TOKEN = {"auth_type": "Token", "api_token": SECRET}
OAUTH = {"auth_type": "Client", "client_id": "id", "client_secret": "hush", "refresh_token": SECRET}


def settings(config: dict[str, Any]) -> Settings:
    """What the connector makes of a config; raises `HarvestError`."""
    return Settings.of(config, SourceHarvest().spec(LOGGER).connectionSpecification)


# A first read of nine reports by month takes more than the 100 requests that Harvest allows in 15 minutes.
BY_YEAR = {"report_period": "year"}
