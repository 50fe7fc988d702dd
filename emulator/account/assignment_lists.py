"""Lists that Harvest puts together from assignments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.account.state import Row, State


def teammates(state: State, user_id: int) -> list[Row]:
    """The people that a manager is in charge of."""
    users = (state.row("users", teammate) for teammate in sorted(state.teammates.get(user_id, ()), reverse=True))
    return [{key: user[key] for key in ("id", "first_name", "last_name", "email")} for user in users]


def project_assignments(state: State, user_id: int) -> list[Row]:
    """The active assignments of a user, with the active tasks of each project, newest first.

    Observed: where the user's default rate applies, this list shows it, and /user_assignments shows null.
    """

    def tasks_of_projects() -> dict[int, list[Row]]:
        tasks: dict[int, list[Row]] = {}
        for row in reversed(state.tables["task_assignments"].listed()):
            if row["is_active"]:
                plain = {key: value for key, value in row.items() if key != "project"}
                tasks.setdefault(row["project"]["id"], []).append(plain)
        return tasks

    tasks = state.computed("tasks of projects", tasks_of_projects)
    default_rate = state.row("users", user_id)["default_hourly_rate"]
    found = []
    for row in state.tables["user_assignments"].listed():
        project_id = row["project"]["id"]
        if row["user"]["id"] == user_id and row["is_active"]:
            own = {key: value for key, value in row.items() if key not in {"user", "project"}}
            if row["use_default_rates"] and row["hourly_rate"] is None:
                own["hourly_rate"] = default_rate
            client_id = state.row("projects", project_id)["client"]["id"]
            found.append(
                {
                    **own,
                    "project": state.reference("project_with_billable", project_id),
                    "client": state.reference("client_with_currency", client_id),
                    "task_assignments": tasks.get(project_id, []),
                }
            )
    return found
