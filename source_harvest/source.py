"""The connector: spec, check, discover and read."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

from airbyte_cdk.config_observation import create_connector_config_control_message
from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteCatalogSerializer,
    Status,
    SyncMode,
)
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.message import InMemoryMessageRepository, MessageRepository
from airbyte_cdk.sources.streams import Stream
from typing_extensions import override

from source_harvest.api.account import HarvestAccount
from source_harvest.api.client import HarvestClient
from source_harvest.api.no_answer import CHECK_SECONDS
from source_harvest.check import check_account
from source_harvest.config import MOST_NAMED, Config, Settings, migrated, notices
from source_harvest.errors import QUOTE_LENGTH, SHOWN_LENGTH, HarvestError, config_error, redacted, without_secrets
from source_harvest.input_files import is_from_discover, read_json
from source_harvest.secret_filter import keep_secret
from source_harvest.state.progress import StreamProgress
from source_harvest.state.stream_state import StreamState
from source_harvest.stream_types.base import HarvestStream
from source_harvest.streams import STREAMS
from source_harvest.sync.engine import Engine
from source_harvest.sync.stream_run import StreamRun

logger = logging.getLogger("airbyte")


class SourceHarvest(AbstractSource):
    """Reads a Harvest account."""

    def __init__(self) -> None:
        self._messages = InMemoryMessageRepository()

    @property
    @override
    def message_repository(self) -> MessageRepository:
        return self._messages

    @staticmethod
    @override
    def read_config(config_path: str) -> dict[str, Any]:
        config = read_json(config_path, "config")
        if not isinstance(config, dict):
            raise config_error(f"The config file {config_path} must hold a JSON object.")
        return config

    @classmethod
    @override
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        try:
            return ConfiguredAirbyteCatalogSerializer.load(read_json(catalog_path, "catalog"))
        except HarvestError as error:
            raise _from_discover(catalog_path) or error from None
        except ValueError as error:
            reason = without_secrets(str(error).splitlines()[-1].removeprefix("- "))
            raise _from_discover(catalog_path) or config_error(
                f"The catalog file {catalog_path} is not a configured catalog: {reason[-QUOTE_LENGTH:]}."
            ) from None

    @classmethod
    @override
    def read_state(cls, state_path: str | None) -> list[AirbyteStateMessage]:
        states = read_json(state_path, "state") if state_path else []
        with suppress(ValueError, TypeError):
            loaded = [AirbyteStateMessageSerializer.load(state) for state in states or []]
            if all(message.stream for message in loaded):
                return loaded
        raise config_error(
            f"The state file {state_path} must hold a list of Airbyte's state messages, one per stream. "
            "Pass the states that the last sync emitted, or no state file to read everything."
        )

    @override
    def configure(self, config: Config, temp_dir: str) -> Config:
        """The config in the current shape. If it was migrated, emits a message that makes the platform store it.

        Unlike the CDK's method, this writes no copy with the credentials to disk.
        """
        keep_secret(config)
        today = migrated(config)
        if today is not config:
            self._messages.emit_message(create_connector_config_control_message(dict(today)))
        return today

    @override
    def check(self, logger: logging.Logger, config: Config) -> AirbyteConnectionStatus:
        succeeded, error = self.check_connection(logger, config)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED if succeeded else Status.FAILED, message=error)

    @override
    def check_connection(self, logger: logging.Logger, config: Config) -> tuple[bool, str | None]:
        """Whether the credentials can read the account, whatever the user's role, and otherwise the error message.

        Ends if Harvest answers nothing for `CHECK_SECONDS`.
        """
        try:
            account = self._account(config, CHECK_SECONDS)
            with closing(account.client):
                self._warn(config, account.client.settings)
                check_account(account, STREAMS)
        except HarvestError as error:
            return False, str(error)
        return True, None

    @override
    def streams(self, config: Config) -> list[Stream]:
        account = self._account(config)
        return [stream(account) for stream in STREAMS]

    @override
    def read(
        self,
        logger: logging.Logger,
        config: Config,
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Yields the messages of a sync.

        Raises `HarvestError` at the end if a stream failed, after all other streams were read.
        """
        account = self._account(config)
        self._warn(config, account.client.settings)
        _warn_of_input(catalog, state)
        states = ConnectorStateManager(state)
        engine = Engine(account.client.slots, logger)
        modes = {stream.stream.name: stream.sync_mode for stream in catalog.streams}
        selected = [(kind, modes.pop(kind.name)) for kind in STREAMS if kind.name in modes]
        runs = [_run(kind(account), mode, states, engine.emit) for kind, mode in selected]
        with closing(account.client):
            account_id = account.connect()
            for run in runs:
                run.progress.belongs_to(account_id)
            yield from engine.read(runs, unknown=list(modes))

    def _account(self, config: Config, seconds_without_answer: float = math.inf) -> HarvestAccount:
        return HarvestAccount(HarvestClient(Settings.of(config, self._specified()), config, seconds_without_answer))

    def _warn(self, config: Config, settings: Settings) -> None:
        for notice in notices(config, settings, self._specified()):
            logger.warning(notice)

    def _specified(self) -> Mapping[str, Any]:
        return self.spec(logger).connectionSpecification


def _from_discover(catalog_path: str) -> HarvestError | None:
    with suppress(OSError):
        if is_from_discover(catalog_path):
            return config_error(
                f"The catalog file {catalog_path} holds the output of discover, which lists all streams. Pass a "
                'configured catalog of the streams to read: {"streams": [{"stream": {…}, "sync_mode": "incremental", '
                '"destination_sync_mode": "append_dedup"}]}, where each "stream" is copied from that output. '
                "The command source-harvest catalog prints one."
            )
    return None


def _warn_of_input(catalog: ConfiguredAirbyteCatalog, state: list[AirbyteStateMessage] | None) -> None:
    selected = {configured.stream.name for configured in catalog.streams}
    if not selected:
        logger.warning("The catalog holds no streams, so nothing is read. Select at least one.")
        return
    kept = {message.stream.stream_descriptor.name for message in state or [] if message.stream}
    if others := sorted(kept - selected):
        names = ", ".join(redacted(name, SHOWN_LENGTH) for name in others[:MOST_NAMED])
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        logger.warning(
            "The state holds streams that the catalog does not select, which are not read: %s%s. "
            "Select them, or remove them from the state.",
            names,
            more,
        )


def _run(
    stream: HarvestStream, mode: SyncMode, states: ConnectorStateManager, emit: Callable[[Any], None]
) -> StreamRun:
    stream_state = StreamState()
    is_incremental = mode is SyncMode.incremental
    if stream.cursor_column and is_incremental:
        stream_state = stream.load_state(states.get_stream_state(stream.name, None))
    return StreamRun(stream, StreamProgress(stream, stream_state, emit, remembers=is_incremental))
