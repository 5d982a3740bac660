"""Exports: their files in the bucket, each with a record that says whose it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from personas.store import keys
from personas.store.attributes import Value, expired, integer, text
from personas.store.objects import put_parts
from personas.store.table import Table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXPORT_LIFE: Final = timedelta(days=7)
"""After that the record counts for nothing; the bucket's lifecycle rule removes the file within the next day."""
ADDRESS_LIFE: Final = timedelta(minutes=5)
_CSV: Final = "text/csv; charset=utf-8"


class Export(NamedTuple):
    """A finished export. ``file_name`` is what it is downloaded as: letters, digits and signs of ASCII."""

    id: str
    group_id: str
    profile_id: str
    file_name: str
    row_count: int

    @property
    def key(self) -> str:
        """The object that holds the file."""
        return file_key(self.group_id, self.id)


def file_key(group_id: str, upload_id: str) -> str:
    """Return the key of the object that holds the file of an export."""
    return f"exports/{group_id}/{upload_id}.csv"


class ExportStore:
    """The exports of all groups."""

    def __init__(self, table: Table, client: S3Client, bucket: str) -> None:
        self._table = table
        self._client = client
        self._bucket = bucket

    def write_file(self, group_id: str, upload_id: str, parts: Iterable[bytes]) -> None:
        """Store the file of an export that is made bit by bit; where making or storing it fails, there is none.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        put_parts(self._client, self._bucket, file_key(group_id, upload_id), parts, _CSV)

    def put(self, export: Export) -> None:
        """Record an export whose file is stored. Its id is new, so nobody else writes this item.

        Raises:
            OutcomeUnknown: the record may be there, or not.
            Unavailable: the table cannot be written now. The file stays unknown, until it expires.
        """
        now = self._table.now()
        record: dict[str, Value] = {
            "group": export.group_id,
            "profile": export.profile_id,
            "file_name": export.file_name,
            "row_count": export.row_count,
            "created_at": now.isoformat(),
            "expires_at": int((now + EXPORT_LIFE).timestamp()),
        }
        self._table.put_plain(keys.export(export.id), record, asked_for=True)

    def get(self, upload_id: str) -> Export | None:
        """Return the export of that id, or None if there is none, or no longer."""
        item = self._table.get(keys.export(upload_id))
        if item is None or expired(item, self._table.now()):
            return None
        return Export(
            id=upload_id,
            group_id=text(item, "group"),
            profile_id=text(item, "profile"),
            file_name=text(item, "file_name"),
            row_count=integer(item, "row_count"),
        )

    def address(self, export: Export) -> tuple[str, datetime]:
        """Return an address that gives anyone the file, and when it ends; it is signed here, without a request."""
        # A signature has whole seconds.
        signed_at = self._table.now().replace(microsecond=0)
        url = self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": export.key,
                # RFC 6266. The name is ASCII without quotes, so the extended form of RFC 8187 is not needed.
                "ResponseContentDisposition": f'attachment; filename="{export.file_name}"',
            },
            ExpiresIn=int(ADDRESS_LIFE.total_seconds()),
        )
        return url, signed_at + ADDRESS_LIFE
