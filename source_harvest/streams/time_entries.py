"""Time entries, and the things in other services that they refer to."""

from source_harvest.stream_types.embedded import EmbeddedStream
from source_harvest.stream_types.running import RunningRows


class TimeEntries(RunningRows):
    """Time that somebody worked on a project.

    https://help.getharvest.com/api-v2/timesheets-api/timesheets/time-entries/

    Everybody may read time entries. Members see their own, Managers also those of their teammates and projects.
    """

    is_suggested = True
    readable_by = "everyone"
    limited_by_start_date = True
    business_date = "spent_date"
    running = "is_running"
    foreign_keys = {
        "user_id": "users",
        "user_assignment_id": "project_users",
        "client_id": "clients",
        "project_id": "projects",
        "task_id": "tasks",
        "task_assignment_id": "project_tasks",
        "invoice_id": "invoices",
    }
    flattened = {"external_reference": ("id",)}
    clock_times = ("started_time", "ended_time")


class TimeEntryExternalReference(EmbeddedStream):
    """The thing in another service, such as a ticket, that a time entry was tracked for. Its ids are text."""

    primary_key = ["time_entry_id", "external_reference_id"]
    text_keys = ("external_reference_id",)
    parent = TimeEntries
    parent_key = "time_entry_id"
    embedded_in = "external_reference"
    id_column = "external_reference_id"
    cursor_field = "time_entry_updated_at"
    limited_by_start_date = True
    foreign_keys = {"time_entry_id": "time_entries"}
