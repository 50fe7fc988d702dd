"""The CDK's standard tests, by acceptance-test-config.yml, and ours on what they leave out."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airbyte_cdk.test.standard_tests import docker_base
from airbyte_cdk.test.standard_tests.source_base import SourceTestSuiteBase

from emulator import Harvest, Server
from emulator.account.timestamps import stamp
from source_harvest.source import SourceHarvest
from testing.command_line import Run, assert_whole, run
from testing.container import Image
from testing.expected_tables import identity, tables
from testing.streams import AS_OF_A_DAY, WHOLE

ROOT = Path(__file__).parent.parent
ACCEPTANCE = yaml.safe_load((ROOT / "acceptance-test-config.yml").read_text(encoding="utf-8"))["acceptance_tests"]
[INCREMENTAL] = ACCEPTANCE["incremental"]["tests"]


def held(path: str) -> Any:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


class TestStandard(SourceTestSuiteBase):
    """All that the CDK asks of a source, in this process and in the image."""

    connector = SourceHarvest
    root = ROOT

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return cls.root

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def emulated(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """A copy of the configs that leads to an emulator."""
        copy = tmp_path_factory.mktemp("acceptance") / "source-harvest"
        shutil.copytree(ROOT / "integration_tests", copy / "integration_tests", ignore=shutil.ignore_patterns("*.py"))
        for name in ("acceptance-test-config.yml", "metadata.yaml"):
            shutil.copy(ROOT / name, copy)
        with Server(Harvest(size="xs", seed=0)) as server:
            for path in copy.glob("integration_tests/*_config*.json"):
                config = json.loads(path.read_text(encoding="utf-8")) | addresses(server)
                path.write_text(json.dumps(config), encoding="utf-8")
            cls.root = copy
            yield
        cls.root = ROOT

    @pytest.fixture
    def connector_image_override(self, image: Image, monkeypatch: pytest.MonkeyPatch) -> str:
        """The image on this machine's own network, where the emulator is."""
        started: Callable[..., Any] = docker_base.run_docker_airbyte_command

        def on_this_machine(command: list[str], **options: Any) -> Any:
            return started([*command[:2], "--network", "host", *command[2:]], **options)

        monkeypatch.setattr(docker_base, "run_docker_airbyte_command", on_this_machine)
        return str(image.built.id)

    @pytest.fixture
    def read_from_streams(self) -> str:
        return "all"

    @pytest.fixture
    def read_scenarios(self) -> str:
        return "all"

    @pytest.mark.skip(reason="asks Airbyte's registry for the version before, over the internet")
    def test_docker_image_spec_backward_compatibility(self) -> None: ...


def addresses(server: Server) -> dict[str, str]:
    return {"api_url": server.api_url, "identity_url": server.identity_url}


@pytest.fixture
def read(tmp_path: Path, server: Server) -> Callable[..., Run]:
    """Reads the incremental catalog, or another one, with a state or without."""

    def reading(catalog: str = INCREMENTAL["configured_catalog_path"], **files: object) -> Run:
        config = held(INCREMENTAL["config_path"]) | addresses(server)
        result = run(tmp_path, "read", config=config, catalog=held(catalog), **files)
        assert result.exit_code == 0
        return result

    return reading


def test_a_full_refresh_holds_every_record_as_expected(read: Callable[..., Run], harvest: Harvest) -> None:
    assert_whole(read("integration_tests/configured_catalog.json"), harvest)


def test_a_second_read_with_the_state_of_the_first_holds_what_changed_between_them(
    read: Callable[..., Run], harvest: Harvest
) -> None:
    first = read()
    harvest.clock.advance(hours=1)
    client = harvest.add("clients", name="Between two reads")
    second = read(state=[message["state"] for message in first.of_type("STATE")])
    read_each_time = {*AS_OF_A_DAY, "time_entries"}  # of the latter, what is running
    assert {m["record"]["stream"] for m in second.of_type("RECORD")} == {"clients", *read_each_time}
    assert [row["id"] for row in second.rows("clients")] == [client]


def test_a_state_from_the_future_is_not_trusted(read: Callable[..., Run], harvest: Harvest) -> None:
    """Every stream is read anew, and what is remembered then is of today."""
    future = held(INCREMENTAL["future_state"]["future_state_path"])
    result = read(state=future)
    for stream in (message["stream"] for message in future):
        name, [cursor, *_] = stream["stream_descriptor"]["name"], stream["stream_state"]
        assert len(result.rows(name)) == len(tables(harvest, "year")[name]), name
        assert states_of(result)[name][-1][cursor] <= stamp(harvest.clock.now()), name
    assert states_of(result).keys() == tables(harvest, "year").keys() - WHOLE


def test_a_read_with_the_sample_state_holds_what_changed_since(read: Callable[..., Run], harvest: Harvest) -> None:
    """Less a minute; of the reports the periods that were not over for 90 days then."""
    state = held("integration_tests/sample_state.json")
    result = read(state=state)
    for stream in (message["stream"] for message in state):
        name, [cursor, *_] = stream["stream_descriptor"]["name"], stream["stream_state"]
        since = "2025-11-26" if cursor == "period_end" else "2026-02-24T08:59:00Z"
        expected = {identity(name, row) for row in tables(harvest, "year")[name] if row[cursor] >= since}
        assert {identity(name, row) for row in result.rows(name)} == expected, name
    assert 0 < len(result.of_type("RECORD")) < sum(map(len, tables(harvest, "year").values())) / 2


def states_of(result: Run) -> dict[str, list[dict[str, Any]]]:
    """Stream -> its states, in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for message in result.of_type("STATE"):
        stream = message["state"]["stream"]
        found.setdefault(stream["stream_descriptor"]["name"], []).append(stream["stream_state"])
    return found
