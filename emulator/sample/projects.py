"""Projects of a new account, with their task and user assignments."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from emulator.account.timestamps import later
from emulator.sample import names
from emulator.sample.builder import LEFT

if TYPE_CHECKING:
    from emulator.account.state import Row
    from emulator.sample.builder import Builder

# How a project is billed and budgeted; eight projects have all eight ways.
_WAYS: tuple[Row, ...] = (
    {"bill_by": "Project", "hourly_rate": 110.0, "budget_by": "project", "budget": 400.0},
    {"bill_by": "Tasks", "hourly_rate": None, "budget_by": "task", "budget": 250.0},
    {"bill_by": "People", "hourly_rate": None, "budget_by": "person", "budget": 300.0, "budget_is_monthly": True},
    {"bill_by": "Project", "hourly_rate": 95.5, "budget_by": "project_cost", "cost_budget": 20_000.0}
    | {"cost_budget_include_expenses": True, "notify_when_over_budget": True},
    {"bill_by": "none", "hourly_rate": None, "is_billable": False, "budget_by": "none"},
    {"bill_by": "none", "hourly_rate": None, "is_fixed_fee": True, "fee": 12_500.0, "budget_by": "project"}
    | {"budget": 160.0, "show_budget_to_all": True},
    {"bill_by": "Tasks", "hourly_rate": None, "budget_by": "task_fees", "cost_budget": 9_000.0},
    {"bill_by": "People", "hourly_rate": None, "budget_by": "none"},
)


def build_projects(builder: Builder) -> None:
    """Projects of clients that are older, billed and budgeted in every way."""
    clients = list(builder.state.tables["clients"].rows.values())
    client_times = [client["created_at"] for client in clients]
    for i, created in enumerate(builder.moments(builder.size.projects, until=0.9)):
        client = clients[builder.chance.randrange(bisect_right(client_times, created))]
        way, name = _WAYS[i % len(_WAYS)], names.PROJECTS[i % len(names.PROJECTS)]
        name = name if way.get("is_billable", True) else f"Pitch: {name}"
        over: Row = {"over_budget_notification_date": "2026-01-15"} if i % 8 == 3 else {}
        builder.put(
            "projects",
            created,
            client_id=client["id"],
            name=name if i < len(names.PROJECTS) else f"{name} {i // len(names.PROJECTS) + 1}",
            code=(f"NL-{i:03}", "", None)[i % 3],
            is_active=client["is_active"] and i % 9 != 6,
            currency=client["currency"],
            notes=None if i % 2 else names.NOTES[i % len(names.NOTES)],
            starts_on=created[:10] if i % 4 else None,
            ends_on="2026-12-31" if i % 4 == 1 else None,
            **way,
            **over,
        )


def build_assignments(builder: Builder) -> None:
    """Three or four tasks and users for each project, assigned in its first minutes."""
    users = list(builder.state.tables["users"].rows.values())
    tasks = list(builder.state.tables["tasks"].rows.values())
    left = LEFT.isoformat()
    for i, project in enumerate(builder.state.tables["projects"].rows.values()):
        start = project["created_at"]
        here = [tasks[(i * 3 + j) % len(tasks)] for j in range(3 + i % 2)]
        if all(task["billable_by_default"] for task in here):  # every project has a task that is not billable
            here[-1] = next(task for task in tasks if not task["billable_by_default"])
        for j, task in enumerate(here):
            builder.put(
                "task_assignments",
                later(start, seconds=j + 1),
                project_id=project["id"],
                task_id=task["id"],
                is_active=task["is_active"],
                billable=task["billable_by_default"] and project["is_billable"],
                hourly_rate=75.0 + 5 * j if project["bill_by"] == "Tasks" else None,
                budget=80.0 if project["budget_by"] == "task" else None,
            )
        people = [user for user in users if user["created_at"] <= start and (user["is_active"] or start < left)]
        for j in range(min(len(people), 3 + i % 2)):
            user = people[(i + j) % len(people)]
            use_default_rates = (i + j) % 3 != 0
            builder.put(
                "user_assignments",
                later(start, minutes=1, seconds=j),
                project_id=project["id"],
                user_id=user["id"],
                is_active=user["is_active"] and (i + j) % 11 != 10,
                is_project_manager="manager" in user["access_roles"],
                use_default_rates=use_default_rates,
                hourly_rate=None if use_default_rates else 120.0,
                budget=60.0 if project["budget_by"] == "person" else None,
            )
