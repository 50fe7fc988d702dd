"""The user behind the credentials."""

from source_harvest.stream import HarvestStream


class SignedInUser(HarvestStream):
    """That user's own record, of which no table is made: it says the time zone and the roles.

    https://help.getharvest.com/api-v2/users-api/users/users/
    """

    resource = "users/me"
    readable_by = "everyone"
    list_key = None
