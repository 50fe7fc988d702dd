"""Projects, and who and what works on them: users, tasks, and users on tasks."""

from collections.abc import Iterator

from typing_extensions import override

from source_harvest.answer import Row
from source_harvest.derived import JoinedStream, Lists
from source_harvest.stream import HarvestStream
from source_harvest.streams.users import Users


class Projects(HarvestStream):
    """A project for a client, archived or not.

    https://help.getharvest.com/api-v2/projects-api/projects/projects/
    """

    readable_by = "Administrators and Managers of projects"
    foreign_keys = {"client_id": "clients"}


class ProjectUsers(HarvestStream):
    """A user on a project, which Harvest calls a user assignment.

    https://help.getharvest.com/api-v2/projects-api/projects/user-assignments/
    """

    resource = "user_assignments"
    readable_by = "Administrators and Managers with teammates or projects"
    foreign_keys = {"project_id": "projects", "user_id": "users"}


class ProjectTasks(HarvestStream):
    """A task on a project, which Harvest calls a task assignment.

    https://help.getharvest.com/api-v2/projects-api/projects/task-assignments/
    """

    resource = "task_assignments"
    readable_by = "Administrators and Managers of projects"
    foreign_keys = {"project_id": "projects", "task_id": "tasks"}


class UserProjects(JoinedStream):
    """A user's place on a project, with the project's client and the rate that holds.

    The same assignments, under the same ids, as in `project_users`. Harvest's list per user shows the default rate of
    the user where the assignment has none of its own (B125 of docs/harvest-behaviour.md); so does this.
    """

    foreign_keys = {"project_id": "projects", "user_id": "users", "client_id": "clients"}

    @classmethod
    @override
    def lists(cls) -> tuple[type[HarvestStream], ...]:
        return (ProjectUsers, Projects, Users)

    @override
    def join(self, lists: Lists, began: str) -> Iterator[tuple[Row, list[Row]]]:
        projects, users = lists[Projects], lists[Users]
        for assignment in lists[ProjectUsers].values():
            made_of = [assignment]
            record = {**assignment, "client": None}
            project = projects.get(assignment["project"]["id"])
            if project is None and assignment["created_at"] >= began:
                continue
            if project:
                made_of.append(project)
                record["client"] = project["client"]
            user = users.get(assignment["user"]["id"])
            if user and assignment.get("use_default_rates") and assignment.get("hourly_rate") is None:
                made_of.append(user)
                record["hourly_rate"] = user.get("default_hourly_rate")
            yield record, made_of


class UserProjectTasks(JoinedStream):
    """A task that a user may track time for: each of a project's tasks for each of its users.

    It is active while both assignments are, and changed when either did.
    """

    primary_key = ["user_id", "project_task_id"]
    foreign_keys = {"user_id": "users", "project_task_id": "project_tasks", "project_id": "projects"}

    @classmethod
    @override
    def lists(cls) -> tuple[type[HarvestStream], ...]:
        return (ProjectUsers, ProjectTasks)

    @override
    def join(self, lists: Lists, began: str) -> Iterator[tuple[Row, list[Row]]]:
        tasks_of: dict[int, list[Row]] = {}
        for task in lists[ProjectTasks].values():
            tasks_of.setdefault(task["project"]["id"], []).append(task)
        for user in lists[ProjectUsers].values():
            for task in tasks_of.get(user["project"]["id"], ()):
                record = {
                    "user_id": user["user"]["id"],
                    "project_task_id": task["id"],
                    "project_id": user["project"]["id"],
                    "is_active": user["is_active"] and task["is_active"],
                    "updated_at": max(user["updated_at"], task["updated_at"]),
                }
                yield record, [user, task]
