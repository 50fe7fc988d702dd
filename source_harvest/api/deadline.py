"""Connections on which an answer, head and body, is waited for so long at most, however slowly its bytes come."""

import http.client
import io
import socket
import time
from typing import Any

from typing_extensions import Buffer, override
from urllib3.connection import HTTPConnection, HTTPSConnection

# The seconds for which one answer is waited for in all. The timeouts of a request begin anew with each piece.
ANSWER_SECONDS = 120.0


class TimedBytes(io.RawIOBase):
    """What a socket receives, until all the time that was spent waiting for it is too long."""

    def __init__(self, received: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._received = received
        self._sock = sock
        self._seconds = seconds
        self._timeout = sock.gettimeout()

    @override
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        """As that of any raw stream. Raises `TimeoutError`."""
        if self._seconds <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(min(self._seconds, self._timeout or self._seconds))
        began = time.perf_counter()
        try:
            return self._received.readinto(buffer)
        finally:
            self._seconds -= time.perf_counter() - began

    @override
    def close(self) -> None:
        self._received.close()
        super().close()


class TimedResponse(http.client.HTTPResponse):
    """An answer that has `ANSWER_SECONDS` from its first byte to its last."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: io.BufferedReader = io.BufferedReader(TimedBytes(self.fp.detach(), sock, ANSWER_SECONDS))


class TimedConnection(HTTPConnection):
    """Without TLS, as to a proxy or to this machine."""

    response_class = TimedResponse


class TimedTlsConnection(HTTPSConnection):
    """With TLS."""

    response_class = TimedResponse
