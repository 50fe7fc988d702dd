"""The account itself."""

from source_harvest.stream_types.base import HarvestStream


class Company(HarvestStream):
    """The account and its settings: a single record.

    https://help.getharvest.com/api-v2/company-api/company/company/
    """

    primary_key = ["full_domain"]
    identified_by = ("full_domain",)
    text_keys = ("full_domain",)
    list_key = None
