"""Configs, states and catalogs that nobody expects: taken as they are, or one clear sentence."""

import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, FailureType
from hypothesis import given
from hypothesis import strategies as st

from emulator import Harvest
from source_harvest.api.account import HarvestAccount
from source_harvest.api.client import HarvestClient
from source_harvest.config import Settings
from source_harvest.entrypoint import Entrypoint
from source_harvest.errors import HarvestError
from source_harvest.source import SourceHarvest
from source_harvest.streams.clients import Clients
from testing.configs import OAUTH, SECRET, TOKEN
from testing.configs import settings as settings_of
from testing.fuzzing import JSON_VALUES, assert_clear, assert_config_error, assert_written, breaks, fuzzing, written
from testing.in_process import LOGGER, catalog, catalog_of, sync

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("watched")]

CONFIGS: list[dict[str, Any]] = [
    {
        "credentials": credentials,
        "account_id": "1486203",
        "replication_start_date": "2024-01-01",
        "num_workers": 4,
        "rate_limit_percent": 50,
        "child_full_read_days": 7,
        "api_url": "",
        "identity_url": "",
    }
    for credentials in (TOKEN, {**OAUTH, "access_token": "1.at.x", "token_expiry_date": "2026-01-01T00:00:00Z"})
]


@fuzzing(400)
@given(st.sampled_from(CONFIGS).flatmap(breaks) | JSON_VALUES)
def test_a_config_is_taken_or_a_field_of_it_is_named(text: str) -> None:
    entrypoint = Entrypoint(SourceHarvest())
    try:
        config = SourceHarvest.read_config(written(text))
        config = dict(entrypoint.source.configure(config, ""))
    except HarvestError as error:
        assert_config_error(error)
        return
    spec = entrypoint.source.spec(LOGGER)
    Entrypoint.set_up_secret_filter(config, spec.connectionSpecification)
    try:
        Settings.of(config, spec.connectionSpecification)
        assert SourceHarvest().discover(LOGGER, config).streams
    except HarvestError as error:
        assert_config_error(error, 'The config field "')


def test_a_config_that_is_taken_is_asked_with(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    """Whatever stands in it, `check` answers with one sentence."""

    @fuzzing(150)
    @given(st.sampled_from(CONFIGS).flatmap(breaks))
    def fuzz(text: str) -> None:
        try:
            odd = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(odd, dict):
            return
        odd = {**odd, "api_url": config["api_url"], "identity_url": config["identity_url"]}
        message = ""
        for answer in Entrypoint(SourceHarvest()).check(SourceHarvest().spec(LOGGER), odd):
            if answer.connectionStatus:
                message = answer.connectionStatus.message or "connected"
            AirbyteEntrypoint.airbyte_message_to_string(answer)
        assert_clear(message)
        assert SECRET not in message

    fuzz()


MOMENT = "2026-01-31T10:00:00Z"
STATES: list[dict[str, Any]] = [
    {"updated_at": MOMENT},
    {"updated_at": MOMENT, "all_parents_read": MOMENT, "living_parents_read": MOMENT},
    {"unfinished": {"began": MOMENT, "spans": [["2024-01-01", None], [None, "2023-12-31"]], "up_to_parent": 7}},
]
STATE_FILES = [
    [{"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": state}}]
    for name in ("time_entries", "invoice_messages")
    for state in STATES
]


def test_a_state_is_taken_or_its_stream_is_named(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    asked = catalog_of("time_entries", "invoice_messages", "tasks")

    @fuzzing(150)
    @given(st.sampled_from(STATE_FILES).flatmap(breaks))
    def fuzz(text: str) -> None:
        try:
            state = SourceHarvest.read_state(written(text))
        except HarvestError as error:
            assert_config_error(error)
            return
        result = sync(config, [], state, asked=asked)
        assert_written(result)
        assert result.error is None or result.error.failure_type is FailureType.config_error
        for kind, message in result.errors.values():
            assert_clear(message)
            assert kind == "config_error"
        if result.error:
            assert_clear(str(result.error.message))

    fuzz()


@fuzzing(400)
@given(st.sampled_from(STATES).flatmap(breaks) | JSON_VALUES)
def test_a_bookmark_is_read_or_its_stream_is_named(text: str) -> None:
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(state, dict):
        return
    client = HarvestClient(settings_of({"credentials": TOKEN}), {"credentials": TOKEN})
    stream = Clients(HarvestAccount(client))
    try:
        parsed = stream.load_state(state)
    except HarvestError as error:
        assert_config_error(error, 'The state of the stream "clients" cannot be read')
    else:
        assert stream.load_state(parsed.state("updated_at")) == parsed
        assert isinstance(parsed.since(timedelta(minutes=5)), str | None)


def test_a_catalog_is_taken_or_one_sentence(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    whole_catalog = json.loads(orjson.dumps(ConfiguredAirbyteCatalogSerializer.dump(catalog(["clients", "roles"]))))
    for stream in whole_catalog["streams"]:
        stream["stream"]["json_schema"] = {}

    @fuzzing(200)
    @given(breaks(whole_catalog))
    def fuzz(text: str) -> None:
        try:
            asked = SourceHarvest.read_catalog(written(text))
        except HarvestError as error:
            assert_config_error(error)
            return
        result = sync(config, [], asked=asked)
        assert_written(result)
        for kind, message in result.errors.values():
            assert_clear(message)
            assert kind == "config_error"

    fuzz()
