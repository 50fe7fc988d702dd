"""Tasks."""

from source_harvest.stream_types.incremental import UpdatedSince


class Tasks(UpdatedSince):
    """A kind of work that projects can use.

    https://help.getharvest.com/api-v2/tasks-api/tasks/tasks/
    """

    is_suggested = True
    readable_by = "Administrators and Managers who may create and edit tasks"
