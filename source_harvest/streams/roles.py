"""Roles, which say what somebody does in the company; they grant nothing in Harvest."""

from source_harvest.stream_types.base import HarvestStream
from source_harvest.stream_types.embedded import EmbeddedStream


class Roles(HarvestStream):
    """A role and the users in it.

    https://help.getharvest.com/api-v2/roles-api/roles/roles/

    Harvest cannot be asked for changed roles, and a new user in a role does not change it.
    """


class UserRoles(EmbeddedStream):
    """A user in a role."""

    primary_key = ["user_id", "role_id"]
    parent = Roles
    parent_key = "role_id"
    embedded_in = "user_ids"
    embeds_ids = True
    id_column = "user_id"
    cursor_field: list[str] = []
    foreign_keys = {"user_id": "users", "role_id": "roles"}
