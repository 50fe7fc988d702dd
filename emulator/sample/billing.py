"""Estimates and invoices of a new account, with their messages and payments."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

from emulator.account.amounts import add_up, cents, line_item, settle
from emulator.account.effects import ESTIMATE_EVENTS, INVOICE_EVENTS, apply_event
from emulator.account.state import Row, State, full_name
from emulator.account.timestamps import later, later_day
from emulator.sample import names

if TYPE_CHECKING:
    from emulator.sample.builder import Builder

# The events of an estimate or invoice in order, one a day. Even the smallest account has every list of events.
_ESTIMATES: tuple[tuple[str | None, ...], ...] = (
    ("send", "view", "accept", "invoice"),
    ("send", "decline"),
    ("send", "decline", "re-open"),
    (),
    ("send", None),
)
_INVOICES: tuple[tuple[str | None, ...], ...] = (
    ("send", "pay", "thanks"),
    ("send", "reminder", "reminder"),
    ("send", "part", "part"),
    ("send", "close"),
    ("send", "pay", "re-open"),
    (),
    ("part",),  # a draft with a payment
    ("send", "close", "re-open", None),
    ("send", "draft"),
    ("send", "pay"),
    ("send", "pay"),
)

# Quantities and unit prices of line items. Some amounts have to be rounded.
_PRICED = (
    *((86.25, 110.0), (120.5, 95.5), (40.0, 110.0), (12.0, 480.0)),
    *((1.0, 1250.0), (2.5, 480.0), (0.33, 95.5), (0.01, 95.5)),
)


def build_estimates(builder: Builder) -> None:
    """Estimates in every state, with messages of every kind."""
    for i, created in enumerate(builder.moments(builder.size.estimates, until=0.9)):
        estimate = builder.put(
            "estimates",
            created,
            **_bill(builder, _client(builder, created), i, 501),
            line_items=[_item(builder, j) for j in range(1 + i % 3)],
            issue_date=created[:10],
        )
        add_up(estimate)
        for days, event in enumerate(_ESTIMATES[i % len(_ESTIMATES)], 1):
            when = later(created, days=days)
            builder.put("estimate_messages", when, estimate["id"], **_message(builder.state, estimate, event))
            if event in ESTIMATE_EVENTS:
                apply_event(estimate, ESTIMATE_EVENTS, event, when)


def build_invoices(builder: Builder) -> None:
    """Invoices in every state. Each bills a client's time since the invoice before."""
    projects: dict[int, list[Row]] = {}
    for project in builder.state.tables["projects"].rows.values():
        projects.setdefault(project["client"]["id"], []).append(project)
    estimates: dict[int, list[Row]] = {}
    for estimate in builder.state.tables["estimates"].rows.values():
        estimates.setdefault(estimate["client"]["id"], []).append(estimate)
    billed_until: dict[int, str] = {}
    for i, created in enumerate(builder.moments(builder.size.invoices, until=0.97, lean=0.5)):
        client = _client(builder, created)
        begun = [project for project in projects.get(client["id"], ()) if project["created_at"] <= created]
        agreed = [estimate for estimate in estimates.get(client["id"], ()) if estimate["created_at"] <= created]
        invoice = builder.put(
            "invoices",
            created,
            **_bill(builder, client, i, 1001),
            **_dates(i, created[:10], billed_until.get(client["id"], "2024-03-03")),
            line_items=[] if i % 12 == 11 else [_invoice_item(builder, begun, j) for j in range(1 + i % 4)],
            estimate_id=agreed[-1]["id"] if agreed and i % 2 else None,
            retainer={"id": 52_300 + i} if i % 10 == 2 else None,
            recurring_invoice_id=64_100 + i % 5 if i % 6 == 4 else None,
            payment_options=[] if i % 2 else ["ach", "credit_card"],
        )
        billed_until[client["id"]] = created[:10]
        add_up(invoice)
        settle(builder.state, invoice)
        client["updated_at"] = max(client["updated_at"], created)
        for days, event in enumerate(_INVOICES[i % len(_INVOICES)], 1):
            _invoice_event(builder, invoice, event, later(created, days=days))


def _dates(i: int, issued: str, billed_until: str) -> Row:
    """The dates of an invoice: when it is due, and the period that it bills, if any."""
    term, days = (("net 30", 30), ("upon receipt", 0), ("custom", 21))[i % 3]
    dates = {"issue_date": issued, "due_date": later_day(issued, days), "payment_term": term}
    begun = later_day(billed_until, 1)
    return dates if i % 4 == 3 else {**dates, "period_start": begun, "period_end": max(issued, begun)}


def _invoice_event(builder: Builder, invoice: Row, event: str | None, when: str) -> None:
    state = builder.state
    if event in {"pay", "part"}:
        amount = invoice["due_amount"] if event == "pay" else cents(invoice["amount"] / 4)
        _payment(builder, invoice, amount, when)
        settle(state, invoice)
        invoice["updated_at"] = when
        return
    builder.put("invoice_messages", when, invoice["id"], **_message(state, invoice, event))
    if event in INVOICE_EVENTS:
        apply_event(invoice, INVOICE_EVENTS, event, when)


def _payment(builder: Builder, invoice: Row, amount: float, when: str) -> None:
    user = next(iter(builder.state.tables["users"].rows.values()))
    by_card = invoice["id"] % 2 == 0
    builder.put(
        "invoice_payments",
        when,
        invoice["id"],
        amount=amount,
        paid_at=when if by_card else f"{when[:10]}T00:00:00Z",
        paid_date=when[:10],
        recorded_by=full_name(user),
        recorded_by_email=user["email"],
        notes=None if by_card else "Bank transfer",
        transaction_id=f"tx_{invoice['id']:x}" if by_card else None,
        payment_gateway={"id": 77_015, "name": "Card desk"} if by_card else {"id": None, "name": None},
    )


def _message(state: State, bill: Row, event: str | None) -> Row:
    user = next(iter(state.tables["users"].rows.values()))
    name, email = full_name(user), user["email"]
    is_invoice = "due_amount" in bill
    words = "Invoice" if is_invoice else "Estimate"
    message: Row = {
        "sent_by": name,
        "sent_by_email": email,
        "sent_from": name,
        "sent_from_email": email,
        "event_type": None if event in {"reminder", "thanks"} else event,
        "recipients": [{"name": "Accounts desk", "email": "accounts@client.example"}] if event != "view" else [],
        "subject": None if event == "view" else f"{words} #{bill['number']}",
        "body": None if event == "view" else f"Hello,\r\n\r\n{words} {bill['number']}: “{bill['subject']}”.\r\n",
    }
    if is_invoice and event in {"reminder", "thanks"}:
        message |= {"reminder": event == "reminder", "thank_you": event == "thanks"}
        message["send_reminder_on"] = bill["due_date"] if event == "reminder" else None
    return message


def _bill(builder: Builder, client: Row, i: int, counts_from: int) -> Row:
    """The values that estimates and invoices have in common."""
    users = list(builder.state.tables["users"].rows)
    return {
        "client_id": client["id"],
        "creator_id": None if i % 9 == 8 else users[i % 3],
        "client_key": f"{builder.chance.getrandbits(160):040x}",
        "number": f"NL-{counts_from + i}" if i % 7 == 6 else str(counts_from + i),
        "purchase_order": ("", "PO 77/b", None)[i % 3],
        "subject": ("Work in spring", "Überarbeitung", "", None)[i % 4],
        "notes": None if i % 5 == 4 else "Thank you.\r\nPlease quote the number.",
        "currency": client["currency"],
        "tax": (None, 19.0, 7.5)[i % 3],
        "tax2": 2.5 if i % 8 == 1 else None,
        "discount": 10.0 if i % 5 == 2 else None,
    }


def _item(builder: Builder, j: int, **more: Any) -> Row:
    return line_item(
        builder.state,
        names.ITEM_KINDS[j % len(names.ITEM_KINDS)],
        *builder.chance.choice(_PRICED),
        description=None if j == 1 else builder.chance.choice(names.NOTES),
        taxed=j % 2 == 0,
        taxed2=j % 3 == 0,
        **more,
    )


def _invoice_item(builder: Builder, projects: list[Row], j: int) -> Row:
    project = projects[j % len(projects)] if projects and j != 2 else None
    return _item(builder, j, project=project and builder.state.reference("project", project["id"]))


class Invoiced:
    """Which invoice bills a client's time and expenses of a day: the first one issued on that day or later."""

    def __init__(self, state: State) -> None:
        self._bills: dict[int, tuple[list[str], list[Row]]] = {}
        for invoice in state.tables["invoices"].rows.values():
            days, invoices = self._bills.setdefault(invoice["client"]["id"], ([], []))
            days.append(invoice["issue_date"])
            reference = state.reference("invoice", invoice["id"])
            invoices.append({"reference": reference, "created_at": invoice["created_at"]})

    def by(self, row: Row) -> Row | None:
        """The invoice's reference and `created_at`; None if there is none, or the row was created after it."""
        days, invoices = self._bills.get(row["client"]["id"], ([], []))
        at = bisect_left(days, row["spent_date"])
        if at == len(days) or invoices[at]["created_at"] < row["created_at"]:
            return None
        return invoices[at]


def _client(builder: Builder, created: str) -> Row:
    """A random client that existed at that time."""
    clients = list(builder.state.tables["clients"].rows.values())
    begun = bisect_right(clients, created, key=lambda client: str(client["created_at"]))
    return clients[builder.chance.randrange(begun)]
