"""Records that were deleted."""

from source_harvest.stream_types.deletions import DeletedRecordsStream


class DeletedRecords(DeletedRecordsStream):
    """A record of another selected stream that was deleted in Harvest, or that came back.

    Harvest does not report deletions, so the connector compares ids.
    """

    primary_key = ["stream", "record_id"]
    cursor_field = "detected_at"
    text_keys = ("stream",)
    readable_by = "Administrators"
