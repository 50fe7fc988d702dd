"""A client with good manners, for the account and the server of `unit_tests/conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from emulator import Harvest, Server


class Client:
    """A session of one user. `get` takes a path or a whole URL."""

    def __init__(self, server: Server, harvest: Harvest, token: str) -> None:
        self._server = server
        self.session = requests.Session()
        self.session.headers.update(
            {
                "Authorization": f"Bearer {token}",
                "Harvest-Account-Id": str(harvest.account_id),
                "User-Agent": "tests (tests@example.com)",
            }
        )

    def answer(self, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self._server.api_url + path
        return self.session.get(url, timeout=5, **options)

    def get(self, path: str, **params: str | int) -> Any:
        answer = self.answer(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pages(self, path: str, **params: str | int) -> list[Any]:
        """All pages of a list, by following `links.next`."""
        pages = [self.get(path, **params)]
        while pages[-1]["links"]["next"]:
            pages.append(self.get(pages[-1]["links"]["next"]))
        return pages


@pytest.fixture
def client(server: Server, harvest: Harvest) -> Iterator[Client]:
    client = Client(server, harvest, harvest.token)
    with client.session:
        yield client
