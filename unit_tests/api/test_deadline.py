"""An answer that comes drop by drop is none: after its deadline its connection is closed, and it is asked for again."""

import json
import ssl
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from source_harvest.api import deadline
from testing.in_process import check, sync
from testing.raw_server import RawServer, Request, head
from testing.waiting import LONGEST_WAIT

BODY = {"clients": [{"id": 7}], "total_entries": 1, "links": {"next": None}}
DRIPS = {
    "the head": b"HTTP/1.1 200 OK\r\nX-Long: ",
    "heads of other answers": b"HTTP/1.1 100 Continue\r\n\r\n",
    "the body": head("Content-Length: 1000000"),
    "a body of unknown length": head("Connection: close"),
    "a body in chunks": head("Transfer-Encoding: chunked"),
    "the length of a chunk": head("Transfer-Encoding: chunked") + b"1",
    "a body of an error": head("Content-Length: 1000000").replace(b"200 OK", b"422 No"),
}
DROPS = {"heads of other answers": b"HTTP/1.1 100 Continue\r\n\r\n", "a body in chunks": b"1\r\n \r\n"}


class Dripping:
    """Answers drop by drop, until the connection is closed, and so many requests in full after that."""

    def __init__(self, what: str, times: int) -> None:
        self._what = what
        self._times = times
        self.dripped = 0
        """How many requests were answered so. The connector asks again before the server sees that it hung up."""

    def __call__(self, request: Request) -> None:
        if self.dripped >= self._times:
            request.answer({"id": 1} if request.path == "users/me" else BODY)
            return
        self.dripped += 1
        request.send(DRIPS[self._what])
        while True:
            request.send(DROPS.get(self._what, b" "))
            Event().wait(0.01)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a server with a certificate that this process trusts."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path, key_path = tmp_path / "certificate.pem", tmp_path / "key.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return context


@pytest.mark.slow
@pytest.mark.parametrize("what", DRIPS)
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_an_answer_that_drips_is_given_up_and_asked_for_again(
    is_encrypted: bool,
    what: str,
    tls: ssl.SSLContext,
    naps: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.5)
    dripping = Dripping(what, times=2)
    with RawServer(dripping, tls if is_encrypted else None) as server:
        result = sync(server.config, ["clients"])
    assert [row["id"] for row in result.records("clients")] == [7]
    assert result.statuses == {"clients": "COMPLETE"}
    assert dripping.dripped == 2
    assert naps[:2] == [1, 2]


@pytest.mark.slow
def test_one_that_always_drips_fails_its_stream(naps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.1)
    dripping = Dripping("the body", times=1000)
    with RawServer(dripping) as server:
        kind, message = sync(server.config, ["clients"]).errors["clients"]
        connected, _ = check(server.config)
    assert (kind, connected) == ("transient_error", False)
    assert "no whole answer came" in message


def test_an_answer_in_many_pieces_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as they come in time."""
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", LONGEST_WAIT)

    def answer(request: Request) -> None:
        content = json.dumps(BODY).encode()
        whole = head(f"Content-Length: {len(content)}") + content
        for index in range(len(whole)):
            request.send(whole[index : index + 1])

    with RawServer(answer) as server:
        assert len(sync(server.config, ["clients"]).records("clients")) == 1


@pytest.mark.slow
def test_the_time_of_an_answer_is_its_own(
    harvest: Any, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of all answers on a connection together."""
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 4)
    harvest.page_size_cap = 10
    harvest.faults.add(path="/task_assignments$", kind="slow", seconds=1.5, times=3)
    result = sync({**config, "num_workers": 1}, ["project_tasks"])
    assert result.statuses == {"project_tasks": "COMPLETE"}
    assert len(harvest.requests) == 3
