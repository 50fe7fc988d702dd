"""Clients and the people to reach there."""

from source_harvest.stream_types.base import HarvestStream

CLIENT_MANAGERS = "Administrators and Managers who may create and edit clients"


class Clients(HarvestStream):
    """A client, archived or not.

    https://help.getharvest.com/api-v2/clients-api/clients/clients/
    """

    readable_by = CLIENT_MANAGERS


class Contacts(HarvestStream):
    """A person at a client.

    https://help.getharvest.com/api-v2/clients-api/clients/contacts/
    """

    readable_by = CLIENT_MANAGERS
    foreign_keys = {"client_id": "clients"}
