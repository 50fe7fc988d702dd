"""A server that answers with whatever bytes a test wants, as slowly as it wants."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import Self

Answer = Callable[["Request"], None]


class Request:
    """One request, and the connection on which it is answered."""

    def __init__(self, target: str, connection: socket.socket) -> None:
        self.path = urlsplit(target).path.removeprefix("/v2/")
        self.query = dict(parse_qsl(urlsplit(target).query))
        self._connection = connection

    def send(self, data: bytes) -> None:
        """Bytes, at once. Raises `OSError` where nobody takes them any more."""
        self._connection.sendall(data)

    def answer(self, body: Any, *headers: str) -> None:
        """A whole answer: bytes, or what JSON is made of."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send(head(f"Content-Length: {len(content)}", *headers) + content)


def head(*headers: str) -> bytes:
    """The head of a successful answer."""
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", *headers, "", ""]).encode()


class RawServer:
    """Lets a function answer each request on 127.0.0.1, as long as the `with` block lasts."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [Thread(target=self._accept)]
        self.requests: list[Request] = []
        self.over = Event()
        """The block has ended."""
        url = f"http{'s' if tls else ''}://127.0.0.1:{self._listening.getsockname()[1]}"
        self.config = {
            "credentials": {"auth_type": "Token", "api_token": "4711.pt.any"},
            "account_id": "1",
            "api_url": f"{url}/v2",
            "identity_url": url,
        }

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for open_socket in (self._listening, *self._connections):
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections.append(connection)
                self._threads.append(Thread(target=self._serve, args=[connection]))
                self._threads[-1].start()

    def _secured(self, connection: socket.socket) -> socket.socket:
        """The socket to talk through. A wrapped one takes the place of the first, which is of no use from then on."""
        if self._tls is None:
            return connection
        secured = self._tls.wrap_socket(connection, server_side=True)
        self._connections.append(secured)
        return secured

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), self._secured(connection) as sock:
            lines = sock.makefile("rb")
            while line := lines.readline():
                while lines.readline().strip():
                    pass
                request = Request(line.decode().split()[1], sock)
                self.requests.append(request)
                self._answer(request)
