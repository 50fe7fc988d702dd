"""The commands of docs/deployment.md and README.md, taken from the pages: they do what the pages say."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import docs
from emulator import Harvest
from source_harvest.streams import STREAMS
from testing.streams import AS_OF_A_DAY, DELETED, WHOLE, stream_name
from testing.waiting import LONGEST_WAIT

FOLDER = Path(docs.__path__[0])
PAGE = (FOLDER / "deployment.md").read_text(encoding="utf-8")
README = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
NAMES = [stream_name(stream) for stream in STREAMS]


def commands(begin: str, page: str = PAGE) -> str:
    """The one block of commands that begins so, without options, Docker's aside."""
    blocks = ["".join(f"{line.strip()}\n" for line in block.splitlines()) for block in _blocks(page)]
    [block] = [block for block in blocks if block.startswith(f"{begin} ")]
    return block


def _blocks(page: str) -> list[str]:
    return re.findall(r"(?:^    \S.*\n)+", page, re.MULTILINE)


def run(script: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    options: dict[str, Any] = {"cwd": folder, "env": environment, "text": True, "timeout": LONGEST_WAIT}
    return subprocess.run(["/bin/bash", "-ec", script], check=True, stdout=subprocess.PIPE, **options).stdout


def write_config(folder: Path, config: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def held(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def rows(messages: Path) -> dict[str, int]:
    """Stream -> its rows; streams without any are left out."""
    found: dict[str, int] = {}
    for line in messages.read_text(encoding="utf-8").splitlines():
        message = json.loads(line)
        if message["type"] == "RECORD":
            found[message["record"]["stream"]] = found.get(message["record"]["stream"], 0) + 1
    return found


def streams_of(states: list[dict[str, Any]]) -> list[str]:
    return sorted(state["stream"]["stream_descriptor"]["name"] for state in states)


def test_the_commands_make_a_catalog_and_carry_the_state_on(
    tmp_path: Path, harvest: Harvest, config: dict[str, Any]
) -> None:
    write_config(tmp_path, config)
    assert '"SUCCEEDED"' in run(commands("chmod"), tmp_path)
    suggested, few, everything = commands("source-harvest catalog").splitlines()
    run(suggested, tmp_path)
    assert "time_entries" in {stream["stream"]["name"] for stream in held(tmp_path, "catalog.json")["streams"]}
    run(few, tmp_path)
    assert len(held(tmp_path, "catalog.json")["streams"]) == 3
    run(everything, tmp_path)
    first, again = re.findall(r"^    (source-harvest read .*\n(?:    \S.*\n)*)", PAGE, re.MULTILINE)
    run(first, tmp_path)
    assert rows(tmp_path / "messages.jsonl").keys() == {*NAMES} - {DELETED}
    run(commands("source-harvest state"), tmp_path)
    harvest.clock.advance(minutes=10)
    harvest.add("clients", name="Acme")
    run(again, tmp_path)
    assert rows(tmp_path / "messages.jsonl").keys() == {"clients", "time_entries", *WHOLE, *AS_OF_A_DAY}
    assert streams_of(held(tmp_path, "state.json")) == sorted(NAMES)


def test_a_rotated_refresh_token_is_found_in_the_messages(
    tmp_path: Path, harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    write_config(tmp_path, oauth_config)
    harvest.oauth.rotate = True
    run("source-harvest check --config config.json > messages.jsonl", tmp_path)
    run(commands("umask"), tmp_path)
    found = held(tmp_path, "config.json")
    assert found["credentials"]["refresh_token"] == harvest.oauth.refresh_token
    assert found["credentials"]["refresh_token"] != oauth_config["credentials"]["refresh_token"]
    assert found["account_id"] == oauth_config["account_id"]


@pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")
def test_the_script_for_cron_reads_what_changed_and_keeps_state_and_token(
    tmp_path: Path, harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    [script] = re.findall(r"^```bash\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "sync.sh").write_text(script, encoding="utf-8")
    (tmp_path / "sync.sh").chmod(0o755)
    write_config(tmp_path, oauth_config)
    harvest.oauth.rotate = True
    run("source-harvest catalog --config config.json --streams clients,time_entries > catalog.json", tmp_path)
    run("./sync.sh", tmp_path)
    [first] = (tmp_path / "rows").iterdir()
    assert rows(first) == {name: len(harvest.listed(name)) for name in ("clients", "time_entries")}
    assert held(tmp_path, "config.json")["credentials"]["refresh_token"] == harvest.oauth.refresh_token
    first.rename(tmp_path / "loaded.jsonl")
    harvest.clock.advance(minutes=10)
    harvest.add("clients", name="Acme")
    run("./sync.sh", tmp_path)
    [second] = (tmp_path / "rows").iterdir()
    running = len(harvest.state.running)
    assert rows(second) == {"clients": 1, "time_entries": running}
    assert streams_of(held(tmp_path, "state.json")) == ["clients", "time_entries"]


def test_the_commands_of_the_readme_read_the_suggested_streams(tmp_path: Path, config: dict[str, Any]) -> None:
    write_config(tmp_path, config)
    run(commands("export", README), tmp_path)
    catalog = held(tmp_path, "catalog.json")
    assert streams_of(held(tmp_path, "state.json")) == sorted(s["stream"]["name"] for s in catalog["streams"])
