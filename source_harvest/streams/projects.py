"""Projects, and who and what works on them: users, tasks, and users on tasks."""

from collections.abc import Iterator

from typing_extensions import override

from source_harvest.api.timestamps import Row
from source_harvest.stream_types.incremental import UpdatedSince
from source_harvest.stream_types.joined import JoinedStream, id_of
from source_harvest.streams.users import Users


class Projects(UpdatedSince):
    """A project for a client, archived or not.

    https://help.getharvest.com/api-v2/projects-api/projects/projects/
    """

    is_suggested = True
    readable_by = "Administrators and Managers of projects"
    foreign_keys = {"client_id": "clients"}


class ProjectUsers(UpdatedSince):
    """A user on a project, which Harvest calls a user assignment.

    https://help.getharvest.com/api-v2/projects-api/projects/user-assignments/
    """

    is_suggested = True
    resource = "user_assignments"
    readable_by = "Administrators and Managers with teammates or projects"
    foreign_keys = {"project_id": "projects", "user_id": "users"}


class ProjectTasks(UpdatedSince):
    """A task on a project, which Harvest calls a task assignment.

    https://help.getharvest.com/api-v2/projects-api/projects/task-assignments/
    """

    is_suggested = True
    resource = "task_assignments"
    readable_by = "Administrators and Managers of projects"
    foreign_keys = {"project_id": "projects", "task_id": "tasks"}


class UserProjects(JoinedStream):
    """A user's assignment to a project, with the project's client and the rate that applies.

    The same assignments, under the same ids, as in `project_users`. As in Harvest's list for one user, the rate is the
    default rate of the user if the assignment has none of its own (B125 of docs/harvest-behaviour.md).
    """

    foreign_keys = {"project_id": "projects", "user_id": "users", "client_id": "clients"}
    joined_by = {ProjectUsers: ("project", "user"), Projects: (), Users: ()}

    @override
    def join(self, began: str) -> Iterator[tuple[Row, list[Row]]]:
        projects, users = self._lists[Projects], self._lists[Users]
        for assignment in self._lists[ProjectUsers].values():
            project_id = id_of(assignment, "project")
            project, user = projects.get(project_id), users.get(id_of(assignment, "user"))
            if project_id is not None and project is None and str(assignment.get("created_at")) >= began:
                continue
            record, made_of = {**assignment, "client": None}, [assignment]
            if project:
                made_of.append(project)
                record["client"] = project.get("client")
            if user and assignment.get("use_default_rates") and assignment.get("hourly_rate") is None:
                made_of.append(user)
                record["hourly_rate"] = user.get("default_hourly_rate")
            yield record, made_of


class UserProjectTasks(JoinedStream):
    """A task that a user may track time for: each of a project's tasks for each of its users.

    It is active while both assignments are active, and changes when one of them does. If a user is assigned to a
    project twice, one active assignment is enough.
    """

    primary_key = ["user_id", "project_task_id"]
    foreign_keys = {"user_id": "users", "project_task_id": "project_tasks", "project_id": "projects"}
    joined_by = {ProjectUsers: ("project", "user"), ProjectTasks: ("project",)}

    @override
    def join(self, began: str) -> Iterator[tuple[Row, list[Row]]]:
        tasks_of = self._grouped(ProjectTasks)
        for (project_id, user_id), places in self._grouped(ProjectUsers).items():
            for task in tasks_of.get((project_id,), ()):
                made_of = [*places, task]
                changes = [row["updated_at"] for row in made_of if isinstance(row.get("updated_at"), str)]
                record = {
                    "user_id": user_id,
                    "project_task_id": task["id"],
                    "project_id": project_id,
                    "is_active": any(place.get("is_active") for place in places) and task.get("is_active"),
                    "updated_at": max(changes, default=None),
                }
                yield record, made_of

    def _grouped(self, source: type[UpdatedSince]) -> dict[tuple[int | None, ...], list[Row]]:
        """The assignments of a list by what they are joined by; those that do not say it are left out."""
        groups: dict[tuple[int | None, ...], list[Row]] = {}
        for id_, row in self._lists[source].items():
            ids = tuple(id_of(row, reference) for reference in self.joined_by[source])
            if None in ids:
                missing = f"assignments without a {' or '.join(self.joined_by[source])}, which were left out"
                self.odd_rows.leave_out(missing, str(id_))
            else:
                groups.setdefault(ids, []).append(row)
        return groups
