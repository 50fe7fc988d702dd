"""The four questions, asked of an account small enough to work out by hand."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from demo.chart import utilisation_chart
from demo.loader import Warehouse
from demo.progress import ReadProgress
from demo.show import WithoutTrailingBlanks, ask
from source_harvest.stream_types import visits
from testing.in_process import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulator import Harvest

INTEGER, NUMBER, TEXT, YES = {"type": "integer"}, {"type": "number"}, {"type": "string"}, {"type": "boolean"}
DAY, MOMENT = {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}
TABLES: dict[str, dict[str, Any]] = {
    "clients": {"id": INTEGER, "name": TEXT, "currency": TEXT},
    "projects": {"id": INTEGER, "client_id": INTEGER, "is_fixed_fee": YES, "fee": NUMBER, "starts_on": DAY}
    | {"ends_on": DAY},
    "users": {"id": INTEGER, "first_name": TEXT, "last_name": TEXT, "weekly_capacity": INTEGER}
    | {"is_active": YES, "created_at": MOMENT},
    "time_entries": {
        "id": INTEGER,
        "user_id": INTEGER,
        "project_id": INTEGER,
        "spent_date": DAY,
        "hours": NUMBER,
    }
    | {"rounded_hours": NUMBER, "billable": YES, "billable_rate": NUMBER, "created_at": MOMENT}
    | {"client": {"type": "object"}},
    "company": {"id": INTEGER, "currency": TEXT},
    "deleted_records": {"id": INTEGER, "stream": TEXT, "record_id": INTEGER, "is_deleted": YES},
    "cost_rates": {"id": INTEGER, "user_id": INTEGER, "amount": NUMBER, "start_date": DAY, "end_date": DAY},
    "expenses": {"id": INTEGER, "project_id": INTEGER, "spent_date": DAY, "total_cost": NUMBER, "billable": YES},
    "invoices": {"id": INTEGER, "issue_date": DAY, "state": TEXT},
    "invoice_line_items": {"id": INTEGER, "invoice_id": INTEGER, "project_id": INTEGER, "amount": NUMBER},
    "pto_types": {"id": INTEGER, "name": TEXT},
    "pto_balances": {"id": INTEGER, "user_id": INTEGER, "pto_type_id": INTEGER, "snapshot_date": DAY}
    | {"is_unlimited": YES, "available_days": NUMBER, "used_days": NUMBER, "pending_days": NUMBER}
    | {"remaining_days": NUMBER},
}


DELETED = 4711
"""The id of a time entry that was deleted in Harvest, and does not count."""


def cost_rate(number: int, amount: float, start: str | None = None, end: str | None = None) -> dict[str, Any]:
    return {"id": number, "user_id": 1, "amount": amount, "start_date": start, "end_date": end}


def user(number: int, name: str, *, active: bool = True, since: str = "2020-01-01") -> dict[str, Any]:
    names = {"first_name": name, "last_name": "Lee", "weekly_capacity": 40 * 3600}
    return {"id": number, "is_active": active, "created_at": f"{since}T09:00:00Z"} | names


def entry(day: str, hours: float, person: int = 1, project: int = 10, **differing: Any) -> dict[str, Any]:
    usual = {
        "rounded_hours": hours,
        "billable": True,
        "billable_rate": 100.0,
        "created_at": f"{day}T18:00:00Z",
    }
    client = {"client": {"id": 3, "name": "Hidden", "currency": "CHF"}}
    return {"user_id": person, "project_id": project, "spent_date": day, "hours": hours} | usual | client | differing


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "harvest.duckdb") as opened:
        yield opened


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=80)


def fill(
    warehouse: Warehouse,
    users: list[dict[str, Any]],
    entries: list[dict[str, Any]],
    cost_rates: list[dict[str, Any]] | None = None,
    **others: list[dict[str, Any]],
) -> None:
    rows = {
        "clients": [
            {"id": 1, "name": "Acme", "currency": "USD"},
            {"id": 2, "name": "Bolt", "currency": "EUR"},
        ],
        "projects": [
            {"id": 10, "client_id": 1, "is_fixed_fee": False},
            {"id": 20, "client_id": 2, "is_fixed_fee": False},
            {"id": 21, "client_id": 2, "is_fixed_fee": True},
        ],
        "users": users,
        "time_entries": [
            *({"id": number} | made for number, made in enumerate(entries)),
            *([{"id": DELETED} | entry("2026-03-20", 1000.0, project=20)] if entries else []),
        ],
        "company": [{"id": 1, "currency": "EUR"}],
        "cost_rates": cost_rates or [],
        "deleted_records": [
            {"id": 1, "stream": "time_entries", "record_id": DELETED, "is_deleted": True},
            {"id": 2, "stream": "time_entries", "record_id": 0, "is_deleted": False},  # it came back
            {"id": 3, "stream": "expenses", "record_id": 0, "is_deleted": True},
            *({"id": n, "stream": name, "record_id": DELETED, "is_deleted": True} for n, name in enumerate(others, 4)),
        ],
        **others,
    }
    streams = [
        {
            "stream": {"name": name, "json_schema": {"properties": properties}},
            "sync_mode": "incremental",
            "destination_sync_mode": "append_dedup",
            "primary_key": [["id"]],
        }
        for name, properties in TABLES.items()
    ]
    messages = [
        {"type": "RECORD", "record": {"stream": name, "data": row}} for name in TABLES for row in rows.get(name, ())
    ]
    warehouse.load(messages, {"streams": streams})


def test_amounts_are_rounded_hours_at_their_rates_by_client_month_and_currency(
    warehouse: Warehouse, console: Console
) -> None:
    entries = [
        entry("2026-01-31", 8.0),
        entry("2026-02-27", 1.1, rounded_hours=1.25),
        entry("2026-02-28", 2.0, billable=False),
        entry("2026-04-01", 3.0, project=20, billable_rate=90.5),
        entry("2026-04-02", 4.0, project=21),
        entry("2026-04-03", 5.0, project=20, billable_rate=None),
        entry("2026-04-04", 6.0, project=99, rounded_hours=None),
    ]
    fill(warehouse, [user(1, "Ada")], entries)

    answers = ask(console, warehouse, "hours_and_amount")
    assert [tuple(answer.values()) for answer in answers] == [
        ("2026-02", "Acme", 3.25, 1.25, 125.0, "USD"),
        ("2026-04", "Hidden", 6.0, 6.0, 600.0, "CHF"),
        ("2026-04", "Bolt", 12.0, 12.0, 271.5, "EUR"),
    ]


def test_margin_is_amounts_less_hours_at_the_cost_rate_of_their_day(warehouse: Warehouse, console: Console) -> None:
    entries = [
        entry("2025-12-31", 400.0, project=20),
        entry("2026-01-31", 10.0, project=20),
        entry("2026-02-01", 8.0, project=20, rounded_hours=8.25),
        entry("2026-02-02", 2.0, project=20, billable=False),
        entry("2026-02-03", 4.0, project=20, person=2, billable_rate=50.0),
        entry("2026-02-04", 5.0, project=21),
        entry("2026-03-31", 1.0, project=10),
        entry("2026-04-01", 400.0),
    ]
    rates = [
        cost_rate(1, 20.0, end="2026-01-31"),
        cost_rate(2, 40.0, start="2026-02-01", end="2026-02-01"),
        cost_rate(3, 60.0, start="2026-02-02"),
    ]
    fill(warehouse, [user(1, "Ada"), user(2, "Bea")], entries, rates)

    # 10 h at 20, 8 h at 40, and 2 h and 5 h at 60; Bea has no cost rate. The fixed fee has no days and no invoice, and
    # another currency does not count.
    assert [tuple(answer.values()) for answer in ask(console, warehouse, "margin")] == [
        ("Bolt", 29.0, 2025.0, 940.0, 1085.0, pytest.approx(100 * 1085 / 2025), "EUR"),
    ]


def test_margin_counts_expenses_and_the_share_of_a_fixed_fee(warehouse: Warehouse, console: Console) -> None:
    fixed = {"id": 21, "client_id": 2, "is_fixed_fee": True, "fee": 1000.0}
    fixed |= {"starts_on": "2025-12-27", "ends_on": "2026-01-05"}  # five of ten days before January, which is counted
    projects = [{"id": 20, "client_id": 2, "is_fixed_fee": False}, fixed]
    costs = [(1, 20, 30.0, True), (2, 20, 7.0, False), (3, 21, 5.0, True)]
    expenses = [
        {"id": id_, "project_id": project, "spent_date": "2026-02-01", "total_cost": cost, "billable": billable}
        for id_, project, cost, billable in costs
    ]
    expenses.append({**expenses[0], "id": 4, "spent_date": "2026-04-01"})
    made = {"projects": projects, "expenses": expenses}
    fill(warehouse, [user(1, "Ada")], [entry("2026-03-31", 1.0, project=20)], [cost_rate(1, 20.0)], **made)
    # 1 h at 100, 30 of expenses and 500 of the fee; 1 h at 20, and 42 of expenses.
    (bolt,) = ask(console, warehouse, "margin")
    assert (bolt["amount"], bolt["cost_amount"], bolt["margin_amount"]) == (630.0, 62.0, 568.0)

    invoices = [("2025-12-31", "open", 400.0), ("2026-03-31", "paid", 900.0), ("2026-04-01", "open", 50.0)]
    invoices.append(("2026-02-01", "draft", 9000.0))
    made["invoices"] = [{"id": n, "issue_date": day, "state": state} for n, (day, state, _) in enumerate(invoices)]
    made["invoice_line_items"] = [
        {"id": n, "invoice_id": n, "project_id": 21, "amount": amount} for n, (_, _, amount) in enumerate(invoices)
    ]
    made["expenses"].append({**expenses[0], "id": DELETED, "total_cost": 9000.0})
    made["invoices"].append({"id": DELETED, "issue_date": "2026-03-31", "state": "open"})
    for id_, invoice_id in ((DELETED, 1), (9, DELETED)):
        made["invoice_line_items"].append({"id": id_, "invoice_id": invoice_id, "project_id": 21, "amount": 9000.0})
    made["projects"].append({**fixed, "id": DELETED, "starts_on": "2026-01-01", "ends_on": "2026-01-05"})
    fill(warehouse, [user(1, "Ada")], [entry("2026-03-31", 1.0, project=20)], [cost_rate(1, 20.0)], **made)
    (bolt,) = ask(console, warehouse, "margin")
    assert bolt["amount"] == 130.0 + 1300.0 - 500.0  # 1300 were invoiced by the end; 500 had been earned before


def test_time_off_is_of_the_last_balances_and_of_active_people(warehouse: Warehouse, console: Console) -> None:
    def balance(n: int, person: int, day: str = "2026-03-02", **more: Any) -> dict[str, Any]:
        days = {"available_days": 25.0, "used_days": 5.0, "pending_days": 1.0, "remaining_days": 20.0}
        ids = {"id": n, "user_id": person, "pto_type_id": 7, "snapshot_date": day, "is_unlimited": False}
        return {**ids, **days, **more}

    balances = [
        balance(1, 1),
        balance(2, 1, "2026-03-01", used_days=4.0),
        balance(3, 2, used_days=10.0, remaining_days=15.0),
        balance(4, 3),
        balance(5, 2, is_unlimited=True),
        balance(6, 2, available_days=0.0),
    ]
    people = [user(1, "Ada"), user(2, "Bea"), user(3, "Cleo", active=False)]
    fill(warehouse, people, [], pto_balances=balances, pto_types=[{"id": 7, "name": "Vacation"}])
    assert [tuple(answer.values()) for answer in ask(console, warehouse, "time_off")] == [
        ("Bea Lee", "Vacation", 10.0, 1.0, 15.0, 40.0),
        ("Ada Lee", "Vacation", 5.0, 1.0, 20.0, 20.0),
    ]


def test_margin_of_a_client_who_paid_nothing_is_left_out(warehouse: Warehouse, console: Console) -> None:
    fill(warehouse, [user(1, "Ada")], [entry("2026-03-31", 8.0, project=20, billable=False)], [cost_rate(1, 20.0)])
    assert ask(console, warehouse, "margin") == []


def test_utilisation_is_of_the_last_three_full_months_and_of_active_people(
    warehouse: Warehouse, console: Console
) -> None:
    people = [
        user(1, "Ada"),
        user(2, "Bea", since="2026-03-16"),
        user(3, "Cleo", active=False),
        user(4, "Dan"),
    ]
    entries = [
        entry("2025-12-31", 400.0),
        entry("2026-01-01", 128.0),
        entry("2026-03-31", 64.0, billable=False),
        entry("2026-04-01", 400.0),
        entry("2026-03-20", 48.0, person=2),
        entry("2026-03-20", 8.0, person=3),
        entry("2026-12-24", 8.0, created_at="2026-04-02T10:00:00Z"),
    ]
    fill(warehouse, people, entries)

    # January to March 2026 has 64 weekdays of 8 hours, and 12 of them are from March 16 on.
    assert [tuple(answer.values()) for answer in ask(console, warehouse, "utilisation")] == [
        ("Bea Lee", 96.0, 48.0, 48.0, 50.0, 50.0),
        ("Ada Lee", 512.0, 192.0, 128.0, 25.0, 37.5),
        ("Dan Lee", 512.0, 0.0, 0.0, 0.0, 0.0),
    ]


def test_a_month_counts_as_full_once_its_last_day_has_entries(warehouse: Warehouse, console: Console) -> None:
    fill(warehouse, [user(1, "Ada")], [entry("2026-03-31", 64.0), entry("2025-12-31", 400.0)])
    (ada,) = ask(console, warehouse, "utilisation")
    assert (ada["capacity"], ada["hours"]) == (512.0, 64.0)


@pytest.mark.parametrize("question", ["hours_and_amount", "margin", "utilisation", "time_off"])
def test_an_account_without_time_has_no_answer(warehouse: Warehouse, console: Console, question: str) -> None:
    fill(warehouse, [user(1, "Ada")], [])
    assert ask(console, warehouse, question) == []


def shown(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_question_names_its_period_and_what_is_left_out(warehouse: Warehouse, console: Console) -> None:
    fill(warehouse, [user(1, "Ada")], [entry("2026-03-31", 8.0, project=20)])
    periods = {
        "hours_and_amount": "01 Jan 2026 to 31 Mar 2026.",
        "margin": "01 Jan 2026 to 31 Mar 2026.",
        "utilisation": "01 Jan 2026 to 31 Mar 2026.",
    }
    for question, period in periods.items():
        ask(console, warehouse, question)
        page = " ".join(" ".join(shown(console)).split())
        assert period in page
        assert "deleted in Harvest are left out" in page
        console.file = io.StringIO()


@pytest.mark.parametrize("question", ["hours_and_amount", "margin", "utilisation"])
def test_a_table_keeps_its_shape_in_eighty_columns(question: str, warehouse: Warehouse, console: Console) -> None:
    """Names are cut off, numbers are not, and each row is one line."""
    entries = [entry("2026-03-31", 123_456.0, project=20, billable_rate=100.0), entry("2026-03-30", 8.0, person=2)]
    fill(warehouse, [user(1, "Maximiliane" * 5)], entries, [cost_rate(1, 60.0)])
    rows = warehouse.query("SELECT 'Bolt ' || repeat('& Sons ', 20) AS name")
    warehouse.query(f"UPDATE clients SET name = '{rows[0]['name']}' WHERE id = 2")
    answers = ask(console, warehouse, question)
    lines = shown(console)
    rule = next(number for number, line in enumerate(lines) if line.strip().startswith("──"))
    assert len([line for line in lines[rule + 1 :] if line.strip()]) == len(answers)
    assert max(map(len, lines)) <= 80
    assert "123,456.0" in "\n".join(lines)
    assert "…" in "\n".join(lines)


def test_piped_output_has_no_trailing_blanks() -> None:
    file = io.StringIO()
    output = WithoutTrailingBlanks(file)
    for piece in ("one  ", " \ntwo", "  \n\n", "three\n", "rest "):
        output.write(piece)
    output.close()
    assert file.getvalue() == "one\ntwo\n\nthree\nrest"


def test_progress_counts_requests_where_no_rows_came() -> None:
    console = Console(file=io.StringIO(), width=80)
    ended = {"type": "LOG", "log": {"level": "INFO", "message": "clients: rows: 0, requests: 3, time: 0.1 s"}}
    status = {"status": "COMPLETE", "stream_descriptor": {"name": "clients"}}
    complete = {"type": "TRACE", "trace": {"type": "STREAM_STATUS", "stream_status": status}}
    for messages in ([ended, complete], [complete, ended]):
        with ReadProgress(console, 1) as progress:
            for message in messages:
                progress.show(message)
        assert progress.requests == 3
    assert [line.split() for line in shown(console)] == [["clients", "0", "rows", "3", "requests"]] * 2


def test_progress_understands_the_lines_of_the_connectors_own_log(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "SECONDS_PER_LINE", 0)
    caplog.set_level(logging.INFO)
    sync(config, ["estimate_messages"])
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with ReadProgress(console, 1) as progress:
        for record in caplog.records:
            progress.show({"type": "LOG", "log": {"level": "INFO", "message": record.getMessage()}})
        assert progress.requests == len(harvest.requests)
    estimates = len(harvest.listed("estimates"))
    assert f"{estimates} of {estimates} requests" in "\n".join(shown(console))


def test_a_stream_with_a_request_for_each_invoice_shows_its_requests_while_it_runs() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    said = "invoice_messages: 1200 of 3000 parents visited, minutes left: about 5"
    with ReadProgress(console, 1) as progress:
        progress.show({"type": "LOG", "log": {"level": "INFO", "message": said}})
        progress.show({"type": "RECORD", "record": {"stream": "invoice_messages"}})
    assert "1,200 of 3,000 requests" in "\n".join(shown(console))


def test_the_chart_can_be_read_in_eighty_columns_without_colour(console: Console) -> None:
    people = [
        {"person": "Ada Lee", "billable_percent": 50.0, "worked_percent": 75.0},
        {"person": "Maximiliane von Sonnenschein", "billable_percent": 110.0, "worked_percent": 150.0},
    ]
    console.print(utilisation_chart(people))
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[1:] == [
        "Ada Lee             " + "█" * 18 + "▒" * 9 + "·" * 9 + "┃" + " " * 12 + "50 %  75 %",
        "Maximiliane von So… " + "█" * 36 + "┃" + "█" * 3 + "▒" * 4 + " " * 4 + "110 % 150 %",
        "█ billable   ▒ not billable   · free   ┃ capacity",
    ]
