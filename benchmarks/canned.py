"""`python -m benchmarks.canned ENTRIES`: so many time entries, whose pages are served as fast as a socket takes them.

Only the list of time entries, with the filters that its first read uses; nothing is counted, checked or limited. It
prints the address of its API, and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import date, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from benchmarks.lists import PER_PAGE

ENTRIES_PER_DAY = 1_000

# Each entry takes the same room, so that any span of days is one slice of memory.
BYTES_PER_ENTRY = 1_400

FIRST_ID = 4_000_000_000


class Entries:
    """Time entries as JSON, newest first, the last ones of yesterday."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._newest = datetime.now(timezone.utc).date() - timedelta(days=1)
        self._json = memoryview(b"".join(self._entry(number) for number in range(count)))

    def page(self, query: dict[str, str], url: str) -> list[bytes | memoryview]:
        """The parts of the body of a page."""
        number, size = int(query.get("page", 1)), int(query.get("per_page", PER_PAGE))
        first, end = self._span(query)
        begin = min(first + size * (number - 1), end)
        stop = min(begin + size, end)
        next_url = f"{url}?{urlencode(query | {'page': str(number + 1)})}" if stop < end else None
        rest = {"total_entries": end - first, "page": number, "per_page": size, "links": {"next": next_url}}
        rows = self._json[begin * BYTES_PER_ENTRY : stop * BYTES_PER_ENTRY]
        return [b'{"time_entries":[', rows[:-1], b"],", json.dumps(rest).encode()[1:]]

    def _span(self, query: dict[str, str]) -> tuple[int, int]:
        """Where the entries of the days that are asked for begin and end. None changed since any moment."""
        if "updated_since" in query:
            return 0, 0
        first = self._days_ago(query["to"]) * ENTRIES_PER_DAY if "to" in query else 0
        end = (self._days_ago(query["from"]) + 1) * ENTRIES_PER_DAY if "from" in query else self._count
        first = min(max(0, first), self._count)
        return first, max(first, min(end, self._count))

    def _days_ago(self, day: str) -> int:
        return (self._newest - date.fromisoformat(day)).days

    def _entry(self, number: int) -> bytes:
        day = f"{self._newest - timedelta(days=number // ENTRIES_PER_DAY)}".encode()
        template = TEMPLATES[number % len(TEMPLATES)]
        row = template.replace(b"2000-01-01", day).replace(b'"id":0', b'"id":%d' % (FIRST_ID - number), 1)
        return row.ljust(BYTES_PER_ENTRY - 1) + b","


def _row(number: int) -> dict[str, Any]:
    """An entry without its id and day, with all the fields that Harvest sends, and notes of different lengths."""
    user, project, task, stamp = number % 97, number % 211, number % 17, "2000-01-01T17:00:00Z"
    assignment = {"is_active": True, "created_at": stamp, "updated_at": stamp, "hourly_rate": 120.0, "budget": None}
    return {
        "id": 0,
        "spent_date": "2000-01-01",
        "hours": number % 32 / 4,
        "hours_without_timer": number % 32 / 4,
        "rounded_hours": number % 32 / 4,
        "notes": f"Entry {number}: " + "wireframes, " * (number % 16),
        "is_locked": False,
        "locked_reason": None,
        "approval_status": "unsubmitted",
        "is_closed": False,
        "is_billed": False,
        "is_explicitly_locked": False,
        "timer_started_at": None,
        "started_time": "9:00am",
        "ended_time": "5:15pm",
        "is_running": False,
        "billable": True,
        "budgeted": True,
        "billable_rate": 120.0,
        "cost_rate": 40.0 + user,
        "created_at": stamp,
        "updated_at": stamp,
        "user": {"id": 4_011_000 + user, "name": f"Amara Abernathy {user}"},
        "client": {"id": 9_104_000 + project // 4, "name": f"Ōkami Robotics {project // 4}", "currency": "EUR"},
        "project": {"id": 31_207_000 + project, "name": f"Brand refresh {project}", "code": f"BR-{project}"},
        "task": {"id": 17_822_000 + task, "name": f"Design {task}"},
        "user_assignment": {
            "id": 388_150_000 + user,
            "is_project_manager": False,
            "use_default_rates": False,
            **assignment,
        },
        "task_assignment": {"id": 341_906_000 + task, "billable": True, **assignment},
        "external_reference": None,
        "invoice": None,
    }


TEMPLATES = [json.dumps(_row(number), ensure_ascii=False, separators=(",", ":")).encode() for number in range(1_000)]


class Handler(BaseHTTPRequestHandler):
    """Answers after the seconds that the query of the API's address names."""

    protocol_version = "HTTP/1.1"
    entries: Entries
    latency = 0.0

    def do_GET(self) -> None:
        """A page of time entries, whatever is asked for."""
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        time.sleep(self.latency)
        parts = self.entries.page(query, f"http://{self.headers['Host']}{address.path}")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        for part in parts:
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Server(ThreadingHTTPServer):
    """A thread for each connection; none is waited for at the end."""

    daemon_threads = True


def main() -> None:
    """Serve as many entries as `sys.argv` says; each line of standard input is the latency from then on."""
    Handler.entries = Entries(int(sys.argv[1]))
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}/v2", flush=True)
    for line in sys.stdin:
        Handler.latency = float(line)
        print(flush=True)


if __name__ == "__main__":
    main()
