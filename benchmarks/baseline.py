"""`python -m benchmarks.baseline CONFIG [LIST …]`: what one writes first against this API.

One request after the other, no checks, no state; each row as a line of JSON on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.lists import CHILDREN, LISTS, PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows_of(session: requests.Session, url: str, key: str) -> Iterator[dict[str, Any]]:
    """All rows of the list at an address, which are under that key of the answer."""
    next_url: str | None = f"{url}?per_page={PER_PAGE}"
    while next_url:
        response = session.get(next_url, timeout=60)
        if response.status_code == 429:
            time.sleep(float(response.headers["Retry-After"]))
            continue
        response.raise_for_status()
        body = response.json()
        yield from body[key]
        next_url = body["links"]["next"]


def main() -> None:
    """Print the account, or only the lists that are named, without what is below them."""
    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {config['credentials']['api_token']}"
    session.headers["Harvest-Account-Id"] = config["account_id"]
    session.headers["User-Agent"] = "benchmark"
    for name in sys.argv[2:] or LISTS:
        parents = []
        url = f"{config['api_url']}/{name}"
        for row in rows_of(session, url, name):
            print(json.dumps(row))
            parents.append(row["id"])
        for kind in () if sys.argv[2:] else CHILDREN.get(name, ()):
            for parent_id in parents:
                for row in rows_of(session, f"{url}/{parent_id}/{kind}", f"{name[:-1]}_{kind}"):
                    print(json.dumps(row))


if __name__ == "__main__":
    main()
