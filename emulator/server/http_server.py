"""An HTTP server on this machine that answers from an account."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from emulator.server.app import application

if TYPE_CHECKING:
    from starlette.types import Scope
    from typing_extensions import Self

    from emulator.server.hosted_account import HostedAccount


class Server:
    """Serves an account on 127.0.0.1 for as long as the `with` block lasts. Port 0 means any free port."""

    def __init__(self, harvest: HostedAccount, port: int = 0) -> None:
        self._harvest = harvest
        self._asked_port = port
        self.identity_url = ""
        self.api_url = ""

    def __enter__(self) -> Self:
        """Listen. The URLs are known from here on."""
        listening = _listen(self._asked_port)
        self.identity_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.api_url = f"{self.identity_url}/v2"
        self._uvicorn = _Uvicorn(self._harvest)
        self._thread = threading.Thread(target=self._uvicorn.run, args=([listening],), name="emulator")
        self._thread.start()
        self._uvicorn.ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection, stop the thread, free the port."""
        self._uvicorn.stop()
        self._thread.join()


def _listen(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only if the protocol is named. Without it every answer takes 40 ms longer.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError:
        listening.close()
        raise
    return listening


class _Uvicorn(uvicorn.Server):
    """uvicorn, but it starts and stops at once: it neither polls for its end nor waits for its clients."""

    def __init__(self, harvest: HostedAccount) -> None:
        config = uvicorn.Config(
            application(harvest, self._transport_of),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=300,
        )
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self.ready.set()

    async def main_loop(self) -> None:
        await self._stopped.wait()

    def stop(self) -> None:
        """End the server from another thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        if self.server_state.tasks:  # most end with their connection; a slow answer does not
            _, slow = await asyncio.wait(self.server_state.tasks, timeout=0.05)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
        for sock in sockets or ():
            sock.close()

    def _transport_of(self, scope: Scope) -> asyncio.Transport:
        connections = self.server_state.connections
        # No two open connections have the same peer address.
        transports = (connection.transport for connection in connections)
        return next(each for each in transports if each.get_extra_info("peername") == tuple(scope["client"]))
