"""The image that ships: what is in it, and its commands as Airbyte runs them."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from emulator import Harvest
from testing.command_line import assert_whole, configured
from testing.container import Image, written
from testing.streams import STREAM_NAMES
from testing.waiting import LONGEST_WAIT

LOCKED_DOWN = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}


@pytest.fixture
def streams(image: Image, tmp_path: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    result = image.run("discover", written(tmp_path, config=config))
    assert result.exit_code == 0
    [message] = result.of_type("CATALOG")
    found: list[dict[str, Any]] = message["catalog"]["streams"]
    return found


@pytest.mark.parametrize("entrypoint", [None, ["sh", "-c", 'eval "$AIRBYTE_ENTRYPOINT $0"']], ids=["plain", "platform"])
def test_spec_needs_no_network_and_is_that_of_the_sources(entrypoint: list[str] | None, image: Image) -> None:
    """The platform wraps a shell around the command that the image's environment names."""
    result = image.run("spec", network_mode="none", entrypoint=entrypoint)
    [message] = result.of_type("SPEC")
    spec = Path(__file__).parent.parent / "source_harvest" / "spec.json"
    assert message["spec"].items() >= json.loads(spec.read_text(encoding="utf-8")).items()
    assert result.exit_code == 0


def test_check_succeeds(image: Image, tmp_path: Path, config: dict[str, Any]) -> None:
    result = image.run("check", written(tmp_path, config=config))
    assert [m["connectionStatus"] for m in result.of_type("CONNECTION_STATUS")] == [{"status": "SUCCEEDED"}]
    assert result.exit_code == 0


@pytest.mark.parametrize("options", [{}, {"user": "1000", **LOCKED_DOWN}, {"user": "4321:4321", **LOCKED_DOWN}])
def test_a_read_holds_what_the_account_holds_whoever_runs_it_and_with_nothing_to_write_to(
    options: dict[str, Any],
    image: Image,
    tmp_path: Path,
    config: dict[str, Any],
    streams: list[dict[str, Any]],
    harvest: Harvest,
) -> None:
    result = image.run("read", written(tmp_path, config=config, catalog=configured(streams)), **options)
    assert result.exit_code == 0
    assert_whole(result, harvest)


def test_the_commands_beside_the_protocol_are_in_the_image_too(
    image: Image, tmp_path: Path, config: dict[str, Any]
) -> None:
    files = written(tmp_path, config=config)
    catalog = image.run("catalog", files, network_mode="none")
    assert [stream["stream"]["name"] for stream in json.loads(catalog.output)["streams"]] == STREAM_NAMES
    kept = image.run("config", files, network_mode="none")  # standard input is empty
    assert json.loads(kept.output) == config
    assert (catalog.exit_code, kept.exit_code) == (0, 0)


def give(path: Path, owner: int, group: int) -> None:
    if os.getuid():
        pytest.skip("only root can give files away")
    os.chown(path, owner, group)


@pytest.mark.parametrize(
    ("mode", "owner", "group", "options"),
    [
        pytest.param(0o600, 1000, 1000, {}, id="the image's own user"),
        pytest.param(0o640, 0, 1000, {}, id="its group"),
        pytest.param(0o640, 0, 2000, {"group_add": ["2000"]}, id="a group that the platform adds"),
        pytest.param(0o600, 4321, 4321, {"user": "4321"}, id="the user that the platform chose"),
    ],
)
def test_private_files_are_read_by_whom_they_are_for(
    mode: int,
    owner: int,
    group: int,
    options: dict[str, Any],
    image: Image,
    tmp_path: Path,
    config: dict[str, Any],
) -> None:
    files = written(tmp_path, mode, config=config)
    give(files["config"], owner, group)
    result = image.run("check", files, **options)
    assert [m["connectionStatus"] for m in result.of_type("CONNECTION_STATUS")] == [{"status": "SUCCEEDED"}]


@pytest.mark.parametrize("command", ["check", "discover", "read"])
def test_private_files_of_somebody_else_are_one_sentence_that_names_them(
    command: str, image: Image, tmp_path: Path, config: dict[str, Any]
) -> None:
    more = {"catalog": {"streams": []}} if command == "read" else {}
    result = image.run(command, written(tmp_path, 0o600, config=config, **more), user=str(os.getuid() + 1))
    [error] = result.errors
    assert error["message"] == (
        f"The config file /secrets/config.json cannot be read: Permission denied. It belongs to user {os.getuid()}, "
        f"but the connector runs as user {os.getuid() + 1}: change its owner to user {os.getuid() + 1}."
    )
    assert error["failure_type"] == "config_error"
    assert result.exit_code == 1


@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"status": 429, "headers": {"retry-after": "700"}}])
def test_a_request_to_stop_ends_a_read_whatever_it_waits_for(
    fault: dict[str, Any],
    image: Image,
    tmp_path: Path,
    config: dict[str, Any],
    streams: list[dict[str, Any]],
    harvest: Harvest,
) -> None:
    harvest.faults.add(path="/time_entries$", times=None, **fault)
    files = written(tmp_path, config=config, catalog=configured(streams))
    with image.commanded("read", files) as container:
        while not [request for request in harvest.requests if request.path.endswith("/time_entries")]:
            container.reload()
            assert container.status in {"created", "running"}
            time.sleep(0.05)
        container.kill("SIGTERM")
        assert container.wait(timeout=LONGEST_WAIT)["StatusCode"] == 143


def test_no_module_is_compiled_at_the_start(image: Image) -> None:
    lines = image.python("-v", "-c", "import source_harvest.entrypoint").splitlines()
    loaded = [line for line in lines if line.startswith("# code object from ")]
    assert len(loaded) > 500
    assert [line for line in loaded if not line.endswith(".pyc'")] == []


def test_the_image_adds_little_to_its_base_and_nothing_to_build_with(image: Image) -> None:
    assert image.built.attrs["Size"] - image.base.attrs["Size"] < 130_000_000
    tools = "[shutil.which(name) for name in ('pip', 'uv', 'gcc', 'make')]"
    assert image.python("-c", f"import shutil; print({tools})").strip() == "[None, None, None, None]"


def test_the_image_says_how_it_is_run_and_runs_as_nobody_special(image: Image) -> None:
    settings = image.built.attrs["Config"]
    assert settings["User"] == "1000"
    assert f"AIRBYTE_ENTRYPOINT={' '.join(settings['Entrypoint'])}" in settings["Env"]
    assert settings["Labels"]["io.airbyte.name"] == "source-harvest"
