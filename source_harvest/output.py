"""Writes standard output in whole lines, and ends the process only at the end of a line, also after a signal."""

from __future__ import annotations

import errno
import io
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Event, Lock, Thread, local
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import orjson
from typing_extensions import override

if TYPE_CHECKING:  # it takes half a second, and signals must be handled before
    from airbyte_cdk.models import AirbyteMessage

# Records are written in batches of this size; any other message is written at once, with the records before it. Each
# write lets other threads run, and it takes long to get the interpreter lock back.
LINES_AT_ONCE = 500

DESCRIPTOR = 1
NULL = orjson.Fragment("null")
RECORD = '{"type":"RECORD"'
ANSWERS = ('{"type":"SPEC"', '{"type":"CONNECTION_STATUS"', '{"type":"CATALOG"')

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Seconds to wait, after a signal, for a consumer of the output that reads nothing.
PATIENCE = 5.0
SECONDS_BETWEEN_LOOKS = 0.05


class Output:
    """The only writer of file descriptor 1. It writes all bytes of whole lines, in UTF-8, or ends the process.

    Works whatever the buffering and encoding of `sys.stdout`, and also if the descriptor does not block. Leaves the
    descriptor's mode unchanged, since other processes may share it.

    A signal sets a flag and wakes the main thread, which only waits for signals. The command's thread then starts no
    new line.
    """

    def __init__(self, clean_up: Callable[[], None], *, holds_logs: bool = True) -> None:
        """`clean_up` is called before the process ends without unwinding; it may raise an `OSError`.

        `holds_logs`: whether log messages may stand between the lines, as in the Airbyte protocol.
        """
        self._clean_up = clean_up
        self._holds_logs = holds_logs
        self._lock = Lock()
        self._signal: int | None = None
        self._wakes, self._woken_by = os.pipe()
        self._moved_at = 0.0
        self._has_answered = False

    def take_over(self) -> None:
        """Redirects all printing to this writer, and handles signals, except those that are ignored."""
        if sys.__stdout__ is None:  # the descriptor may belong to another file or a socket by now
            self._fail(OSError(errno.EBADF, "it is closed"))
        sys.stdout = sys.__stdout__ = Text(self)  # type: ignore[misc, assignment]
        # A byte for each signal, as any thread may receive it: only in the main thread would it end a wait for a lock.
        os.set_blocking(self._woken_by, False)
        signal.set_wakeup_fd(self._woken_by, warn_on_full_buffer=False)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask_to_end)

    def write_lines(self, messages: Iterable[str]) -> None:
        """Writes messages as they come. If the iterable raises, first writes the messages before the error."""
        lines: list[str] = []
        try:
            for message in messages:
                lines.append(message)
                if len(lines) >= LINES_AT_ONCE or not message.startswith(RECORD):
                    self._write_and_forget(lines)
        finally:
            self._write_and_forget(lines)

    def write(self, text: str, *, is_answer: bool = False) -> None:
        """Returns when every byte is written; never if the process is ending. `is_answer`: nothing more is expected."""
        if not text:
            return
        data = text.encode("utf-8", "replace")
        with self._lock:
            try:
                self._has_answered |= self._write_lines(data) and is_answer
            except OSError as error:
                if self._signal is None:
                    self._fail(error)
            if self._signal is None:
                return
        _stand_still()

    def leave(self, exit_code: int) -> NoReturn:
        """Ends the process at once, without waiting for the requests of other threads."""
        with self._lock:
            if self._signal is None:
                try:
                    os.close(DESCRIPTOR)  # some file systems report a full disk only here
                except OSError as error:
                    self._fail(error)
                self._exit(exit_code)
        _stand_still()

    def end_by_signal(self, command: Thread) -> NoReturn:
        """Waits for a signal while the `command` runs, then ends the process by that signal."""
        while self._signal is None:
            os.read(self._wakes, 1)
        number = self._signal
        self._moved_at = time.monotonic()
        while not self._lock.acquire(timeout=SECONDS_BETWEEN_LOOKS):
            if time.monotonic() - self._moved_at > PATIENCE:
                self._die(number)
            if command.is_alive() and command.ident:
                signal.pthread_kill(command.ident, number)  # interrupts its write
        if self._has_answered and number == signal.SIGTERM:
            self._exit(0)
        if self._holds_logs:
            name = signal.Signals(number).name
            told = f"Ended by a {name}. The next sync resumes from the last state of each stream."
            line = json.dumps({"type": "LOG", "log": {"level": "INFO", "message": told}}, separators=(",", ":"))
            _try(lambda: _write_whole(f"{line}\n".encode()))
        self._die(number)

    def _ask_to_end(self, number: int, _: FrameType | None) -> None:
        self._signal = self._signal or number

    def _die(self, number: int) -> NoReturn:
        with suppress(OSError):
            self._clean_up()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        self._exit(128 + number)  # the first process of a container ignores it

    def _exit(self, exit_code: int) -> NoReturn:
        with suppress(OSError):
            self._clean_up()
        os._exit(exit_code)

    def _fail(self, error: OSError) -> NoReturn:
        """Ends the process after an output error, and reports the error if stderr can be written."""
        if error.errno != errno.EPIPE and sys.stderr:  # after EPIPE nobody reads the output any more
            told = (
                f"Standard output cannot be written: {error.strerror or error}. Fix the output and run the command "
                "again; a sync resumes from the last state that was kept.\n"
            )
            _try(lambda: sys.stderr.write(told))  # which writes a whole line at once
        self._exit(1)

    def _write_and_forget(self, lines: list[str]) -> None:
        if lines:
            self.write("\n".join([*lines, ""]), is_answer=lines[-1].startswith(ANSWERS))
            lines.clear()

    def _write_lines(self, data: bytes) -> bool:
        """Writes all of `data`, or up to the end of a line after a signal; returns whether all was written.

        Raises `OSError`.
        """
        view = memoryview(data)
        written, end = 0, len(data)
        while written < end:
            if count := _write_some(view[written:end]):
                written += count
                self._moved_at = time.monotonic()
            if self._signal is not None:
                end = _end_of_line(data, written)
        return written == len(data)


def with_nulls(message: AirbyteMessage) -> AirbyteMessage:
    """The message, with the nulls of its record: the CDK drops None, but a null says that a column was emptied."""
    if message.record:
        data = message.record.data  # the CDK's copy
        data.update(dict.fromkeys([column for column, value in data.items() if value is None], NULL))
    return message


class Text(io.TextIOBase):
    """`sys.stdout`: passes whole lines to `Output`, so that lines of different threads never mix."""

    encoding = "utf-8"

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self._begun = local()

    @override
    def write(self, text: str) -> int:
        whole, newline, rest = (getattr(self._begun, "line", "") + text).rpartition("\n")
        self._begun.line = rest
        self._output.write(whole + newline)
        return len(text)

    @override
    def flush(self) -> None:
        begun, self._begun.line = getattr(self._begun, "line", ""), ""
        self._output.write(begun)

    @override
    def fileno(self) -> int:
        return DESCRIPTOR


def _end_of_line(data: bytes, written: int) -> int:
    """The end of the line that was being written after `written` bytes, which may be right there."""
    return data.find(b"\n", written - 1) + 1 or len(data) if written else 0


def _write_some(data: memoryview | bytes) -> int:
    """The number of bytes written; 0 if a non-blocking descriptor is not ready. Raises `OSError`."""
    try:
        return os.write(DESCRIPTOR, data)
    except BlockingIOError:
        poll = select.poll()
        poll.register(DESCRIPTOR, select.POLLOUT)
        poll.poll(SECONDS_BETWEEN_LOOKS * 1000)
        return 0


def _write_whole(data: bytes) -> None:
    while data:
        data = data[_write_some(data) :]


def _try(action: Callable[[], object]) -> None:
    """Runs the action in a thread for at most `PATIENCE` seconds, so that it cannot keep the process alive."""

    def attempt() -> None:
        with suppress(OSError, ValueError):
            action()

    with suppress(RuntimeError):  # no thread can be started
        thread = Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(PATIENCE)


def _stand_still() -> NoReturn:
    """Blocks until the main thread ends the process."""
    while True:
        Event().wait()
