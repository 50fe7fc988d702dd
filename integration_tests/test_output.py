"""Standard output as others set it up, and signals: every line whole, no record twice, no state before its rows."""

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator import Harvest, Server
from testing.command_line import Message, Run, command_line, configured, run
from testing.configs import BY_YEAR, config_of
from testing.expected_tables import identity, tables
from testing.waiting import LONGEST_WAIT

NAMES = ["clients", "invoices", "time_entries", "time_entry_external_reference"]
NOTES = "Zürich, 東京 🎉\u2028"
# Bytes read before anything happens to the process: it has then more to write than any pipe or socket takes.
SOON = 20_000
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@dataclass
class Account:
    """Files for the commands, and the account that they read."""

    harvest: Harvest
    folder: Path

    def command(self, name: str) -> list[str]:
        files = {"spec": [], "check": ["config"], "discover": ["config"], "read": ["config", "catalog"]}[name]
        return command_line(name, *(f"--{file}={self.folder / file}.json" for file in files))


@pytest.fixture(autouse=True)
def heeded_signals() -> Iterator[None]:
    """Signals that whoever started the tests had ignored, as nohup does, are not ignored in the processes of these."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """With more rows than pipes and sockets hold, and a text that only UTF-8 and its like can hold."""
    harvest, folder = Harvest(size="s", seed=0), tmp_path_factory.mktemp("account")
    harvest.update("time_entries", next(iter(harvest.state.table("time_entries").rows)), notes=NOTES)
    with Server(harvest) as server:
        config = config_of(harvest, server) | BY_YEAR
        [message] = run(folder, "discover", config=config).of_type("CATALOG")
        catalog = configured(message["catalog"]["streams"], NAMES)
        (folder / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")
        yield Account(harvest, folder)


def pipe() -> tuple[int, int]:
    return os.pipe()


def pipe_that_does_not_block() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(write, False)
    return read, write


def socket_that_does_not_block() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    return ours.detach(), theirs.detach()


CONNECTIONS = [pipe, pipe_that_does_not_block, socket_that_does_not_block]
ENVIRONMENTS = [
    {},
    {"PYTHONUNBUFFERED": "1"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "utf-16"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@contextmanager
def started(
    command: list[str], connect: Callable[[], tuple[int, int]] = pipe, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process, and where its standard output is read."""
    read, write = connect()
    is_blocking = os.get_blocking(write)
    child = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, env=os.environ | environment)
    try:
        select.select([read], [], [], LONGEST_WAIT)
        assert os.get_blocking(write) == is_blocking
        os.close(write)
        yield child, read
    finally:
        child.kill()
        child.wait()
        child.stderr.close()
        os.close(read)


def outcome(child: subprocess.Popen[bytes], read: int, meddle: Callable[[], None] = lambda: None) -> Run:
    """All that comes, read in small portions, and how the process ends; it is meddled with after `SOON`."""
    output, is_meddled_with = bytearray(), False
    while portion := os.read(read, 4096):
        output += portion
        if len(output) > SOON and not is_meddled_with:
            is_meddled_with = True
            meddle()
    exit_code = child.wait(timeout=LONGEST_WAIT)
    assert b"Traceback" not in child.stderr.read()
    return Run(output.decode("utf-8"), exit_code)


def assert_whole_lines(result: Run) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every line is a message, no record comes twice, no state before its rows; returns the keys of each stream."""
    assert result.output.endswith("\n")
    keys: dict[str, Counter[tuple[Any, ...]]] = {name: Counter() for name in NAMES}
    since_state = Counter[str]()
    for message in [json.loads(line) for line in result.output.split("\n")[:-1]]:
        if message["type"] == "RECORD":
            name, row = message["record"]["stream"], message["record"]["data"]
            keys[name][identity(name, row)] += 1
            since_state[name] += 1
        elif message["type"] == "STATE":
            name = message["state"]["stream"]["stream_descriptor"]["name"]
            assert message["state"]["sourceStats"]["recordCount"] == since_state.pop(name, 0)
    assert all(times == 1 for found in keys.values() for times in found.values())
    return keys


def assert_complete(result: Run, harvest: Harvest) -> None:
    keys = assert_whole_lines(result)
    assert result.exit_code == 0
    assert {name: set(found) for name, found in keys.items()} == {
        name: {identity(name, row) for row in tables(harvest, "year")[name]} for name in NAMES
    }
    assert NOTES in [row["notes"] for row in result.rows("time_entries")]


def stopped_for_a_moment(child: subprocess.Popen[bytes]) -> None:
    for _ in range(3):
        child.send_signal(signal.SIGSTOP)
        child.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("connect", CONNECTIONS)
@pytest.mark.parametrize("environment", ENVIRONMENTS[:2], ids=str)
def test_every_byte_of_a_sync_is_written(
    environment: dict[str, str], connect: Callable[[], tuple[int, int]], account: Account
) -> None:
    """Whatever standard output is, how Python set it up, and though the process is stopped in between."""
    with started(account.command("read"), connect, **environment) as (child, read):
        assert_complete(outcome(child, read, lambda: stopped_for_a_moment(child)), account.harvest)


@pytest.mark.parametrize("environment", ENVIRONMENTS[2:], ids=str)
def test_output_is_utf_8_whatever_the_environment_says(environment: dict[str, str], account: Account) -> None:
    with started(account.command("read"), **environment) as (child, read):
        assert_complete(outcome(child, read), account.harvest)


@pytest.mark.parametrize("connect", CONNECTIONS)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_sync_at_the_end_of_a_line_and_the_process_dies_of_it(
    number: signal.Signals, connect: Callable[[], tuple[int, int]], account: Account
) -> None:
    with started(account.command("read"), connect, PYTHONUNBUFFERED="1") as (child, read):

        def twice() -> None:
            child.send_signal(number)
            child.send_signal(number)

        result = outcome(child, read, twice)
    assert_whole_lines(result)
    assert result.exit_code == -number
    assert f"Ended by a {number.name}" in result.messages[-1]["log"]["message"]


def test_where_the_signal_does_nothing_the_exit_code_says_it(account: Account) -> None:
    """As for the first process of a container; here, because it is blocked once the connector has set its handlers."""
    program = "import os; os.kill = lambda *_: None\nfrom source_harvest.run import run; run()"
    with started([sys.executable, "-c", program, *account.command("read")[3:]]) as (child, read):
        result = outcome(child, read, lambda: child.send_signal(signal.SIGTERM))
    assert_whole_lines(result)
    assert result.exit_code == 128 + signal.SIGTERM


def test_signals_that_were_ignored_before_stay_ignored(account: Account) -> None:
    def all_three() -> None:
        for number in SIGNALS:
            child.send_signal(number)

    ignoring = ["sh", "-c", 'trap "" TERM INT HUP; exec "$@"', "sh", *account.command("read")]
    with started(ignoring) as (child, read):
        assert_complete(outcome(child, read, all_three), account.harvest)


@pytest.mark.parametrize("connect", CONNECTIONS)
def test_a_reader_that_has_stopped_is_not_waited_for_by_a_process_that_is_to_end(
    connect: Callable[[], tuple[int, int]], account: Account
) -> None:
    with started(account.command("read"), connect) as (child, read):
        assert os.read(read, 1)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=LONGEST_WAIT) == -signal.SIGTERM


def test_a_signal_ends_the_connector_while_it_is_still_being_loaded(account: Account) -> None:
    """As soon as it has set its handlers, which the test sees as they are asked for."""
    program = (
        "import sys; from source_harvest import run\n"
        "run._run_command = lambda output: print('loading', flush=True) or __import__('time').sleep(600)\n"
        "run.run()"
    )
    with started([sys.executable, "-c", program, "spec"]) as (child, read):
        assert os.read(read, 100) == b"loading\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=LONGEST_WAIT) == -signal.SIGINT
        assert b"Traceback" not in child.stderr.read()


def test_a_signal_ends_the_connector_whichever_of_its_threads_gets_it(account: Account) -> None:
    """The system chooses the thread; here all but the main one may get it."""
    program = (
        "import signal; from source_harvest import run\n"
        "wait = run.Output.end_by_signal\n"
        "def elsewhere(*arguments):\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "    wait(*arguments)\n"
        "run.Output.end_by_signal = elsewhere\n"
        "run.run()"
    )
    with started([sys.executable, "-c", program, *account.command("read")[3:]]) as (child, read):
        assert os.read(read, 1)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=LONGEST_WAIT) == -signal.SIGTERM


ANSWERS = {"spec": b'{"type":"SPEC"', "check": b'{"type":"CONNECTION_STATUS"', "discover": b'{"type":"CATALOG"'}


@pytest.mark.parametrize("command", ANSWERS)
def test_who_has_the_answer_may_end_the_process_without_making_it_a_failure(command: str, account: Account) -> None:
    with started(account.command(command)) as (child, read):
        output = b""
        while ANSWERS[command] not in output or not output.endswith(b"\n"):
            output += os.read(read, 65536)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=LONGEST_WAIT) == 0
        assert child.stderr.read() == b""


def small_pipe() -> tuple[int, int]:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    return read, write


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has pipes of a chosen size")
@pytest.mark.parametrize("command", ["spec", "discover"])
def test_an_answer_of_which_a_part_is_out_comes_whole_and_is_no_failure(command: str, account: Account) -> None:
    with started(account.command(command), small_pipe) as (child, read):
        output = b""
        while ANSWERS[command] not in output:
            output += os.read(read, 100)
        child.send_signal(signal.SIGTERM)
        while portion := os.read(read, 4096):
            output += portion
        assert json.loads(output.splitlines()[-1])
        assert child.wait(timeout=LONGEST_WAIT) == 0


@pytest.mark.parametrize("command", ["spec", "check", "discover", "read"])
@pytest.mark.parametrize(
    ("streams", "said"),
    [
        (">/dev/full", b"No space left on device"),
        (">&-", b"it is closed"),
        (">/dev/full 2>/dev/full", b""),
        (">/dev/full 2>&-", b""),
    ],
)
def test_output_that_takes_nothing_is_an_error_that_is_told_where_it_can_be(
    streams: str, said: bytes, command: str, account: Account
) -> None:
    shell = ["sh", "-c", f'exec "$@" {streams}', "sh", *account.command(command)]
    child = subprocess.run(shell, capture_output=True, timeout=LONGEST_WAIT, check=False)
    assert child.returncode == 1
    assert said in child.stderr
    assert b"Traceback" not in child.stderr


def test_output_that_takes_nothing_is_an_error_though_nobody_reads_standard_error(account: Account) -> None:
    read, write = pipe_that_does_not_block()
    while select.select([], [write], [], 0)[1]:
        os.write(write, b" " * 4096)
    os.set_blocking(write, True)
    with Path("/dev/full").open("wb") as full:
        child = subprocess.Popen(account.command("spec"), stdout=full, stderr=write)
    try:
        assert child.wait(timeout=LONGEST_WAIT) == 1
    finally:
        child.kill()
        os.close(read)
        os.close(write)


def test_a_disk_that_is_full_for_a_moment_leaves_no_hole(tmp_path: Path, account: Account) -> None:
    """After an error nothing more is written, so that what is there ends where the error was."""
    limited = f'ulimit -f 200; trap "" XFSZ; exec "$@" > {tmp_path}/messages.jsonl'
    child = subprocess.run(
        ["bash", "-c", limited, "bash", *account.command("read")],
        capture_output=True,
        timeout=LONGEST_WAIT,
        check=False,
    )
    assert child.returncode == 1
    assert b"File too large" in child.stderr
    lines = (tmp_path / "messages.jsonl").read_bytes().splitlines(keepends=True)
    messages: list[Message] = [json.loads(line) for line in lines if line.endswith(b"\n")]
    assert len(messages) >= len(lines) - 1 > 0
