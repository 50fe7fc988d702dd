"""A small, faithful Harvest, for tests and for the demo. It imports nothing of the connector.

`Harvest` is a made-up account (`sample/`) with rows that change as Harvest's do (`account/`); `Server` serves it over
HTTP (`server/`). The rooms `server` and `sample` import `account`, and not each other.
"""

from emulator.harvest import Harvest
from emulator.server.http_server import Server

__all__ = ["Harvest", "Server"]
