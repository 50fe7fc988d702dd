"""What all unit tests need."""

import faulthandler
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from emulator import Harvest
from testing.waiting import LONGEST_WAIT


@pytest.fixture
def watched() -> Iterator[None]:
    """What hangs is shown and ended. And no odd secret stays behind for other tests' messages."""
    faulthandler.dump_traceback_later(3 * LONGEST_WAIT, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    update_secrets([])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Harvest's limit is what one test is about, and what all others would wait for."""
    monkeypatch.setattr("source_harvest.api.rate_limit.REQUESTS", 1_000_000)


@pytest.fixture
def short_hangs(harvest: Harvest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that the emulator is to let hang is given up soon; any other has all the time that it needs."""
    send = HTTPAdapter.send

    def send_impatiently(adapter: HTTPAdapter, request: PreparedRequest, **options: Any) -> Response:
        url = urlsplit(request.url or "")
        asked: Any = SimpleNamespace(path=url.path, query=dict(parse_qsl(url.query)))
        if any(fault.kind == "hang" and fault.hits(asked) for fault in list(harvest.faults._waiting)):
            options["timeout"] = (LONGEST_WAIT, 0.1)
        return send(adapter, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", send_impatiently)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The connector's waits, in seconds, which pass at once."""
    found: list[float] = []
    clock = time.monotonic
    monkeypatch.setattr("source_harvest.api.error_handler.JITTER", 0)
    monkeypatch.setattr(time, "sleep", lambda seconds: found.append(seconds) if seconds else None)
    monkeypatch.setattr("source_harvest.api.request_slots.RequestSlots.nap", lambda _, seconds: found.append(seconds))
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(found))
    return found
