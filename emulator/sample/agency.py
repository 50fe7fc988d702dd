"""A made-up agency: first its users, clients, tasks and categories, then their projects, bills, expenses and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.account.state import State
from emulator.account.timestamps import later, stamp
from emulator.sample import names
from emulator.sample.attendance import habits_of
from emulator.sample.billing import build_estimates, build_invoices
from emulator.sample.builder import FOUNDED, SIZES, Builder
from emulator.sample.expenses import build_expenses
from emulator.sample.paid_time_off import build_paid_time_off
from emulator.sample.projects import build_assignments, build_projects
from emulator.sample.timesheets import build_timesheets

if TYPE_CHECKING:
    from emulator.account.state import Row

_START = stamp(FOUNDED)


def build(size: str, seed: int) -> State:
    """The rows of a new account. Raises `ValueError` for an unknown size."""
    if size not in SIZES:
        raise ValueError(f"no size {size!r}; sizes are {', '.join(SIZES)}")
    builder = Builder(State(), SIZES[size], seed)
    _users(builder)
    _roles(builder)
    _clients(builder)
    _tasks_and_categories(builder)
    build_projects(builder)
    build_assignments(builder)
    build_estimates(builder)
    build_invoices(builder)
    build_expenses(builder)
    build_timesheets(builder)
    if builder.size.has_paid_time_off:
        build_paid_time_off(builder)
    return builder.state


def _users(builder: Builder) -> None:
    """The first user is the administrator, the next two are managers, the last one is archived."""
    count = builder.size.users
    access = [["administrator"], ["manager", "people_manager"], ["manager", *names.MANAGER_PERMISSIONS]]
    for i, created in enumerate(builder.moments(count, until=0.4)):
        first, last = names.FIRST[i % len(names.FIRST)], names.LAST[i * 7 % len(names.LAST)]
        is_contractor = i % 5 == 4
        rate = None if i == count - 2 else 80.0 + i % 7 * 10
        user = builder.put(
            "users",
            created,
            first_name=first,
            last_name=last,
            email=f"{first}.{last}.{i}@northlight.example".lower().replace("'", ""),
            telephone="" if i % 3 else "+49 30 5550100",
            timezone=("Berlin", "Eastern Time (US & Canada)", "Kyiv")[i % 3],
            weekly_capacity=habits_of(i).capacity * 3600,
            has_access_to_all_future_projects=i == 0,
            is_contractor=is_contractor,
            is_active=i != count - 1,
            can_create_projects=i < 3,
            saml_exempt=is_contractor,
            employee_id=None if is_contractor else f"E-{i:03}",
            default_hourly_rate=rate,
            cost_rate=None if rate is None else rate / 2,
            access_roles=access[i] if i < len(access) else ["member"],
            permissions_claims=["timers:read"] if i else ["timers:read", "account:manage"],
        )
        if rate is not None:
            _rates(builder, "billable_rates", user, rate)
            _rates(builder, "cost_rates", user, rate / 2)
    users = list(builder.state.tables["users"].rows)
    builder.state.teammates = {users[1]: users[3:5], users[2]: users[3:]}


def _rates(builder: Builder, table: str, user: Row, amount: float) -> None:
    """One rate without a start date; for every second user it ends, and a second rate follows."""
    if user["id"] % 2:
        builder.put(table, user["created_at"], user["id"], amount=amount)
    else:
        raised = "2025-07-01T08:15:00Z"
        first = builder.put(table, user["created_at"], user["id"], amount=amount - 5, end_date="2025-06-30")
        first["updated_at"] = raised
        builder.put(table, raised, user["id"], amount=amount, start_date="2025-07-01")


def _roles(builder: Builder) -> None:
    users = list(builder.state.tables["users"].rows.values())
    for i, name in enumerate(names.ROLES):
        members = [] if i == len(names.ROLES) - 1 else [user for j, user in enumerate(users) if j % 4 in {i, i - 1}]
        created = later(_START, minutes=i)
        builder.put("roles", created, name=name, user_ids=[user["id"] for user in members])
        for user in members:
            user["roles"] = sorted([*user["roles"], name])


def _clients(builder: Builder) -> None:
    for i, created in enumerate(builder.moments(builder.size.clients, until=0.6)):
        round_, which = divmod(i, len(names.CLIENTS))
        client = builder.put(
            "clients",
            created,
            name=names.CLIENTS[which] + (f" {round_ + 1}" if round_ else ""),
            is_active=i % 7 != 3,
            address=None if i % 3 == 2 else f"{i + 3} Harbour Road\nNorthport",
            statement_key=f"{builder.chance.getrandbits(128):032x}",
            currency=names.CURRENCIES[i % len(names.CURRENCIES)],
        )
        for j in range(i % 3):
            first = names.FIRST[(i + j * 5) % len(names.FIRST)]
            contact_created = later(created, minutes=5 * j + 20)
            builder.put(
                "contacts",
                contact_created,
                client_id=client["id"],
                title=None if j else "Head of everything",
                first_name=first,
                last_name=None if i % 4 == 1 else names.LAST[i % len(names.LAST)],
                email=None if i % 5 == 2 else f"{first.lower()}{i}@client.example",
                fax=None if j else "",
                invoice_recipient_status=("manual", "always")[j % 2],
            )
            client["updated_at"] = max(client["updated_at"], contact_created)


def _tasks_and_categories(builder: Builder) -> None:
    for i, name in enumerate(names.TASKS):
        created = later(_START, hours=1, seconds=i)
        builder.put(
            "tasks",
            created,
            name=name,
            billable_by_default=name != "Meetings",
            default_hourly_rate=None if i % 2 else 90.0,
            is_default=i < 3,
            is_active=not name.startswith("Old"),
        )
    for i, name in enumerate(names.EXPENSES):
        unit: Row = {"unit_name": "km", "unit_price": 0.42} if name == names.MILEAGE else {}
        created = later(_START, hours=2, seconds=i)
        builder.put("expense_categories", created, name=name, is_active=not name.startswith("Old"), **unit)
    for i, name in enumerate(names.ITEM_KINDS):
        created = later(_START, hours=3, seconds=i)
        flags: Row = {"use_as_service": i == 0, "use_as_expense": i == 1}
        builder.put("invoice_item_categories", created, name=name, **flags)
        builder.put("estimate_item_categories", created, name=name)
