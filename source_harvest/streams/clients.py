"""Clients and the people to reach there."""

from source_harvest.stream_types.incremental import UpdatedSince

CLIENT_MANAGERS = "Administrators and Managers who may create and edit clients"


class Clients(UpdatedSince):
    """A client, archived or not.

    https://help.getharvest.com/api-v2/clients-api/clients/clients/
    """

    is_suggested = True
    readable_by = CLIENT_MANAGERS


class Contacts(UpdatedSince):
    """A person at a client.

    https://help.getharvest.com/api-v2/clients-api/clients/contacts/
    """

    readable_by = CLIENT_MANAGERS
    foreign_keys = {"client_id": "clients"}
