"""What docs/security.md says of the disk."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from testing.command_line import command_line, configured, run
from testing.waiting import LONGEST_WAIT


def test_a_read_leaves_nothing_on_disk(tmp_path: Path, oauth_config: dict[str, Any]) -> None:
    [message] = run(tmp_path, "discover", config=oauth_config).of_type("CATALOG")
    (tmp_path / "catalog.json").write_text(json.dumps(configured(message["catalog"]["streams"])), encoding="utf-8")
    places = {name: tmp_path / name.lower() for name in ("HOME", "TMPDIR", "PWD", "XDG_CACHE_HOME")}
    for place in places.values():
        place.mkdir()
    files = ("--config", str(tmp_path / "config.json"), "--catalog", str(tmp_path / "catalog.json"))
    read = subprocess.run(
        command_line("read", *files),
        cwd=places["PWD"],
        env={**os.environ, **{name: str(place) for name, place in places.items()}},
        capture_output=True,
        timeout=LONGEST_WAIT,
        check=True,
    )
    assert b'"RECORD"' in read.stdout
    assert [list(place.iterdir()) for place in places.values()] == [[]] * len(places)
