"""Records that were deleted."""

from source_harvest.stream_types.deletions import DeletedRecordsStream


class DeletedRecords(DeletedRecordsStream):
    """A record that Harvest no longer has, of a stream that is read beside this one, or one that came back.

    Harvest tells nobody what was deleted: the connector finds out by comparing ids.
    """

    primary_key = ["stream", "record_id"]
    cursor_field = "detected_at"
    text_keys = ("stream",)
    readable_by = "Administrators"
