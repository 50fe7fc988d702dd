"""HTTP connections with a time limit for the whole response, headers and body, however slowly its bytes come."""

import http.client
import io
import socket
import time
from typing import Any

from typing_extensions import Buffer, override
from urllib3.connection import HTTPConnection, HTTPSConnection

# Seconds to wait for one response in all. The timeout of a request starts again with every read.
ANSWER_SECONDS = 120.0


class TimedBytes(io.RawIOBase):
    """The bytes that a socket receives, as long as all reads together take no more than `seconds`."""

    def __init__(self, received: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._received = received
        self._sock = sock
        self._seconds = seconds
        self._timeout = sock.gettimeout()

    @override
    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        """As `io.RawIOBase.readinto`. Raises `TimeoutError`."""
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
    """A response that may keep us waiting for `ANSWER_SECONDS` in all."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: io.BufferedReader = io.BufferedReader(TimedBytes(self.fp.detach(), sock, ANSWER_SECONDS))


class TimedConnection(HTTPConnection):
    """A connection without TLS, such as to a proxy or to this machine."""

    response_class = TimedResponse


class TimedTlsConnection(HTTPSConnection):
    """A connection with TLS."""

    response_class = TimedResponse
