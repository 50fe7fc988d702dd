"""Standard output, which has one writer, and how the process ends: at the end of a line, whoever asks it to."""

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
from queue import SimpleQueue
from threading import Event, Lock, Thread, local
from types import FrameType
from typing import NoReturn

from typing_extensions import override

# Records are written so many at once, all else with the records that wait before it. Each write lets the other threads
# run, which give the interpreter back late.
LINES_AT_ONCE = 500

DESCRIPTOR = 1
RECORD = '{"type":"RECORD"'
ANSWERS = ('{"type":"SPEC"', '{"type":"CONNECTION_STATUS"', '{"type":"CATALOG"')

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A reader that takes nothing for so long, after the process was asked to end, is not waited for.
PATIENCE = 5.0
SECONDS_BETWEEN_LOOKS = 0.05


class Output:
    """The only writer of file descriptor 1. It writes UTF-8, whole lines, and every byte of them, or ends the process.

    How Python set up `sys.stdout` makes no difference: neither buffering nor encoding, nor whether the descriptor
    blocks. Its mode stays as it is, since other processes may share it.

    A signal only sets a flag and wakes the main thread, which waits for nothing else; the thread that runs the command
    then begins no other line.
    """

    def __init__(self, clean_up: Callable[[], None]) -> None:
        """`clean_up` is called where the process ends without unwinding; it may raise an `OSError`."""
        self._clean_up = clean_up
        self._lock = Lock()
        self._asked: SimpleQueue[int] = SimpleQueue()
        self._signal: int | None = None
        self._moved_at = 0.0
        self._has_answered = False

    def take_over(self) -> None:
        """From now on all that is printed comes here, and signals end the process, unless they were ignored before."""
        if sys.__stdout__ is None:  # then the descriptor may by now be another file's, or a connection's
            self._fail(OSError(errno.EBADF, "it is closed"))
        sys.stdout = sys.__stdout__ = Text(self)  # type: ignore[misc, assignment]
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask_to_end)

    def write_lines(self, messages: Iterable[str]) -> None:
        """Writes messages as they come; after an error also those that came before it."""
        lines: list[str] = []
        try:
            for message in messages:
                lines.append(message)
                if len(lines) >= LINES_AT_ONCE or not message.startswith(RECORD):
                    self._write_and_forget(lines)
        finally:
            self._write_and_forget(lines)

    def write(self, text: str, *, is_answer: bool = False) -> None:
        """Returns when every byte is out; never, where the process is to end. `is_answer`: no more is asked for."""
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
        """Ends the process at once: threads that still read would keep it alive until their requests are over."""
        with self._lock:
            if self._signal is None:
                try:
                    os.close(DESCRIPTOR)  # when some file systems first say that they had no room
                except OSError as error:
                    self._fail(error)
                self._exit(exit_code)
        _stand_still()

    def end_by_signal(self, command: Thread) -> NoReturn:
        """Waits for a signal that asks the process to end, while the `command` runs, and lets it die of that signal."""
        number = self._asked.get()
        self._moved_at = time.monotonic()
        while not self._lock.acquire(timeout=SECONDS_BETWEEN_LOOKS):
            if time.monotonic() - self._moved_at > PATIENCE:
                self._die(number)
            if command.is_alive() and command.ident:
                signal.pthread_kill(command.ident, number)  # its write returns with what the reader took
        if self._has_answered and number == signal.SIGTERM:
            self._exit(0)
        name = signal.Signals(number).name
        told = f"Ended by a {name}. The last state of each stream holds; the next sync goes on from there."
        line = json.dumps({"type": "LOG", "log": {"level": "INFO", "message": told}}, separators=(",", ":"))
        _try(lambda: _write_whole(f"{line}\n".encode()))
        self._die(number)

    def _ask_to_end(self, number: int, _: FrameType | None) -> None:
        self._signal = self._signal or number
        self._asked.put(number)

    def _die(self, number: int) -> NoReturn:
        with suppress(OSError):
            self._clean_up()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        self._exit(128 + number)  # the first process of a container does not die of it

    def _exit(self, exit_code: int) -> NoReturn:
        with suppress(OSError):
            self._clean_up()
        os._exit(exit_code)

    def _fail(self, error: OSError) -> NoReturn:
        """Ends the process because of its output, whichever thread finds out, and whether or not it can be told."""
        if error.errno != errno.EPIPE:  # where the reader went away, it knows
            _try(lambda: _tell(error))
        self._exit(1)

    def _write_and_forget(self, lines: list[str]) -> None:
        if lines:
            self.write("\n".join([*lines, ""]), is_answer=lines[-1].startswith(ANSWERS))
            lines.clear()

    def _write_lines(self, data: bytes) -> bool:
        """Writes all of it, or up to the end of a line once the process is asked to end; says whether all is out.

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


class Text(io.TextIOBase):
    """`sys.stdout`, which hands whole lines to the writer, so that those of other threads never mix with them."""

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

    @property
    @override
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @override
    def writable(self) -> bool:
        return True

    @override
    def fileno(self) -> int:
        return DESCRIPTOR

    @override
    def isatty(self) -> bool:
        return os.isatty(DESCRIPTOR)


def _end_of_line(data: bytes, written: int) -> int:
    """Where the line ends of which so much is written; right there, if that is the end of one."""
    return data.find(b"\n", written - 1) + 1 or len(data) if written else 0


def _write_some(data: memoryview) -> int:
    """How much of it went out; none, where a descriptor that does not block takes nothing for a moment.

    Raises `OSError`.
    """
    try:
        return os.write(DESCRIPTOR, data)
    except BlockingIOError:
        poll = select.poll()
        poll.register(DESCRIPTOR, select.POLLOUT)
        poll.poll(SECONDS_BETWEEN_LOOKS * 1000)
        return 0


def _write_whole(data: bytes) -> None:
    written = 0
    while written < len(data):
        written += _write_some(memoryview(data)[written:])


def _tell(error: OSError) -> None:
    if sys.stderr:
        sys.stderr.write(
            f"Standard output cannot be written to: {error.strerror or error}. Put that right and run the command "
            "again; a sync then goes on from the last state that was kept.\n"
        )
        sys.stderr.flush()


def _try(action: Callable[[], None]) -> None:
    """Does it, if it can be done soon: leaving must not depend on it."""

    def attempt() -> None:
        with suppress(OSError, ValueError):
            action()

    with suppress(RuntimeError):  # no more threads
        thread = Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(PATIENCE)


def _stand_still() -> NoReturn:
    """Waits for the end of the process, which the main thread brings about."""
    while True:
        Event().wait()
