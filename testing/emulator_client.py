"""A client of the emulator, with good manners, and what it asks for."""

from typing import Any

import requests

from emulator import Harvest, Server
from emulator.server.endpoints import Endpoint

# The most that a report may be about.
A_YEAR = {"from": "20250302", "to": "20260302"}


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


def path_of(endpoint: Endpoint, harvest: Harvest) -> str:
    """The path of a list, of a parent that has the most rows of it."""
    table = endpoint.path.split("/")[1]
    if "{parent}" not in endpoint.path:
        return endpoint.path

    def size(row_id: int) -> int:
        return len(harvest.children(endpoint.name, row_id))

    return endpoint.path.format(parent=max((row["id"] for row in harvest.listed(table)), key=size))
