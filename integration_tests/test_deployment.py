"""The commands of docs/deployment.md, taken from the page: they do what it says."""

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

PAGE = (Path(docs.__path__[0]) / "deployment.md").read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"(?:^    .*\n|^\n)+", PAGE, re.MULTILINE) if block.strip()]


def commands(*words: str) -> str:
    """The one block of the page that has these words in it."""
    [block] = [block for block in BLOCKS if all(word in block for word in words)]
    return block


def run(script: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    options: dict[str, Any] = {"cwd": folder, "env": environment, "text": True, "timeout": LONGEST_WAIT}
    return subprocess.run(["/bin/bash", "-ec", script], check=True, stdout=subprocess.PIPE, **options).stdout


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_commands_make_a_catalog_and_carry_the_state_on(
    tmp_path: Path, harvest: Harvest, config: dict[str, Any]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "state.json").write_text("[]", encoding="utf-8")
    run(commands("discover", "> catalog.json"), tmp_path)
    read = commands("read", "new-state.json")

    def rows() -> dict[str, int]:
        found = dict.fromkeys(map(stream_name, STREAMS), 0)
        for line in (tmp_path / "messages.jsonl").read_text(encoding="utf-8").splitlines():
            message = json.loads(line)
            if message["type"] == "RECORD":
                found[message["record"]["stream"]] += 1
        return found

    run(read, tmp_path)
    assert {name for name, count in rows().items() if not count} == {DELETED}
    (tmp_path / "new-state.json").replace(tmp_path / "state.json")
    harvest.clock.advance(minutes=10)
    harvest.add("clients", name="Acme")
    run(read, tmp_path)
    assert {name for name, count in rows().items() if count} == {"clients", "time_entries", *WHOLE, *AS_OF_A_DAY}
    states = json.loads((tmp_path / "new-state.json").read_text(encoding="utf-8"))
    names = [state["stream"]["stream_descriptor"]["name"] for state in states]
    assert sorted(names) == sorted(map(stream_name, STREAMS))


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_a_rotated_refresh_token_is_found_in_the_messages(
    tmp_path: Path, harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(oauth_config), encoding="utf-8")
    harvest.oauth.rotate = True
    run("source-harvest check --config config.json > messages.jsonl", tmp_path)
    run(commands("CONTROL", "new-config.json"), tmp_path)
    found = json.loads((tmp_path / "new-config.json").read_text(encoding="utf-8"))
    assert found["credentials"]["refresh_token"] == harvest.oauth.refresh_token
    assert found["credentials"]["refresh_token"] != oauth_config["credentials"]["refresh_token"]
    assert found["account_id"] == oauth_config["account_id"]
