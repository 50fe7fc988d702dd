"""The command line of `source-harvest catalog`, `state` and `config`, and the help for all commands."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import orjson
from airbyte_cdk.models import AirbyteStateMessageSerializer, ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.utils import AirbyteTracedException

from source_harvest.commands import PROTOCOL
from source_harvest.commands.catalog import configured_catalog, suggested
from source_harvest.commands.messages import STANDARD_INPUT, next_config, next_state, read_messages
from source_harvest.output import Output
from source_harvest.secret_filter import keep_secret
from source_harvest.source import SourceHarvest

if TYPE_CHECKING:
    from source_harvest.stream_types.base import HarvestStream


def execute(arguments: list[str], output: Output) -> int:
    """Runs a command; returns its exit code: 1 after a reported error, 2 if the arguments are wrong.

    Any exception that it raises is a bug of the connector.
    """
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s", force=True)
    try:
        options = _parser().parse_args(arguments or ["--help"])
        answer = options.answer(options)
    except AirbyteTracedException as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 2
    output.write(orjson.dumps(answer).decode() + "\n")
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser("source-harvest", epilog="source-harvest COMMAND --help says what a command takes.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, purpose in PROTOCOL.items():
        commands.add_parser(name, help=purpose)

    def add(name: str, answer: Callable[[Namespace], Any], purpose: str) -> ArgumentParser:
        command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        command.set_defaults(answer=answer)
        return command

    catalog = add("catalog", _catalog, "print the catalog that read takes")
    _add_config(catalog)
    which = catalog.add_mutually_exclusive_group()
    which.add_argument("--streams", metavar="A,B", help="the streams to read; all of them unless named")
    which.add_argument("--suggested", action="store_true", help="the streams that most people want")
    catalog.add_argument("--full-refresh", action="store_true", help="read every stream whole each time")
    state = add("state", _state, "print the state to go on from, after a read")
    _add_messages(state)
    state.add_argument("--previous", metavar="STATE", help="the file with the state that the read began with")
    config = add("config", _config, "print the config to go on with, whose refresh token may be a new one")
    _add_messages(config)
    _add_config(config)
    return parser


def _add_config(command: ArgumentParser) -> None:
    command.add_argument("--config", required=True, metavar="CONFIG", help="the file with the config")


def _add_messages(command: ArgumentParser) -> None:
    explained = "the file with what the connector printed; standard input if it is - or left out"
    command.add_argument("messages", nargs="?", default=STANDARD_INPUT, metavar="MESSAGES", help=explained)


def _catalog(options: Namespace) -> Any:
    source = SourceHarvest()
    streams = cast("list[HarvestStream]", source.streams(source.read_config(options.config)))
    names = suggested(streams) if options.suggested else _names(options.streams)
    return ConfiguredAirbyteCatalogSerializer.dump(
        configured_catalog(streams, names, full_refresh=options.full_refresh)
    )


def _names(streams: str | None) -> list[str] | None:
    return None if streams is None else [name.strip() for name in streams.split(",") if name.strip()]


def _state(options: Namespace) -> Any:
    previous = map(AirbyteStateMessageSerializer.dump, SourceHarvest.read_state(options.previous))
    return next_state(read_messages(options.messages), previous)


def _config(options: Namespace) -> Any:
    config = SourceHarvest.read_config(options.config)
    keep_secret(config)
    return next_config(read_messages(options.messages), config)
