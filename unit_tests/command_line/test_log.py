"""The log is for users: what the CDK says for developers is at DEBUG."""

import logging
from typing import Any

import pytest

from testing.in_process import sync


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_a_stream_that_was_read_is_one_line(
    level: int, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(level, "airbyte")
    sync(config, ["clients"])
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert [line for line in lines if not line.startswith("clients: ")] == ["Starting syncing", "Finished syncing"]
    assert len(lines) == 3
    for_developers = [line for line in caplog.messages if line.startswith(("Marking stream clients", "Syncing stream"))]
    assert len(for_developers) == (4 if level == logging.DEBUG else 0)
