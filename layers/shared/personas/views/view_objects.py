"""Snapshots of views in S3: written whole under a new name, never changed, and tagged once another took their place.

A snapshot begins with a label, which says of which group it is, of which view and of which time. Its reader knows which
it must be, so that a whole snapshot in another's place is found like a damaged one.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Buffer, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

from botocore.exceptions import ClientError

from personas.domain.catalogue import Pointer
from personas.observability import logger
from personas.search.object_format import SnapshotDamaged, SnapshotVersionUnknown, checksum_of
from personas.store.objects import asked_of_s3, put_parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import TaggingTypeDef

SUPERSEDED: Final[TaggingTypeDef] = {"TagSet": [{"Key": "superseded", "Value": "true"}]}
"""The tag by which the bucket's lifecycle rule knows what it may remove."""

_LABELLED: Final = b"PERLABEL"
_LABEL: Final = struct.Struct("<IH")
_IDENTIFIED: Final = 12
"""The length of the magic word and the checksum that all contents begin with: with these the label is bound to them."""

_ABSENT: Final = frozenset({"NoSuchKey", "404", "InvalidRange"})


class Label(NamedTuple):
    """The identity of an object: a view of a group, as of a time of the change feed in ISO 8601."""

    group_id: str
    view: str
    watermark: str


def labelled(label: Label, content: bytes) -> bytes:
    """Return the content behind its label: magic word, CRC-32 of label and beginning of the content, length, label."""
    written = json.dumps(label).encode()
    checksum = checksum_of(written, content[:_IDENTIFIED])
    return b"".join((_LABELLED, _LABEL.pack(checksum, len(written)), written, content))


def contents(label: Label, data: Buffer) -> memoryview:
    """Return what lies under a label.

    Raises:
        SnapshotDamaged: these bytes have no label, or another one.
    """
    view = memoryview(data)
    start = len(_LABELLED) + _LABEL.size
    if len(view) < start or bytes(view[: len(_LABELLED)]) != _LABELLED:
        raise SnapshotDamaged("these bytes have no label")
    checksum, length = _LABEL.unpack_from(view, len(_LABELLED))
    written, content = bytes(view[start : start + length]), view[start + length :]
    if checksum != checksum_of(written, content[:_IDENTIFIED]):
        raise SnapshotDamaged("the checksum of the label is not that of label and contents")
    found = Label(*json.loads(written))
    if found != label:
        raise SnapshotDamaged(f"the snapshot is {' '.join(found)} in the place of {' '.join(label)}")
    return content


class ViewObjectStore:
    """The snapshots of all groups, below ``views/``."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, pointer: Pointer) -> memoryview | None:
        """Read what a pointer names, or return None where it is not there.

        Raises:
            SnapshotDamaged: what is there is another group's, view's or time's.
            Unavailable: S3 is busy or out of reach.
        """
        found = self._read(pointer.key, "bytes=0-")
        return None if found is None else contents(label_of(pointer), found)

    def read_range(self, key: str, start: int, length: int) -> bytes | None:
        """Return so many bytes of a snapshot from ``start`` on, or None where it is not there or has none of them.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        return self._read(key, f"bytes={start}-{start + length - 1}")

    def length(self, key: str) -> int | None:
        """Return how many bytes a snapshot has, or None where it is not there.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        return _unless_absent(lambda: self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"])

    def older(self, group_id: str, before: datetime) -> list[str]:
        """Return all objects of a group's views that were written before that time, needed or not.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"views/{group_id}/")
        return asked_of_s3(
            lambda: [
                each["Key"] for page in pages for each in page.get("Contents", ()) if each["LastModified"] < before
            ]
        )

    def _read(self, key: str, wanted: str) -> bytes | None:
        def whole() -> bytes:
            return self._client.get_object(Bucket=self._bucket, Key=key, Range=wanted)["Body"].read()

        return _unless_absent(whole)

    def write(self, group_id: str, view: str, watermark: datetime, content: bytes) -> str:
        """Store a snapshot under a name of its own, which is returned.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        key = self._new_key(group_id, view, watermark)
        body = labelled(Label(group_id, view, watermark.isoformat()), content)
        asked_of_s3(lambda: self._client.put_object(Bucket=self._bucket, Key=key, Body=body))
        return key

    def write_parts(self, group_id: str, view: str, watermark: datetime, parts: Iterable[bytes]) -> str:
        """Store what is made bit by bit, in constant memory, under a name of its own, which is returned.

        It bears no label: the snapshot that names it says what is in it. If making it fails, nothing is stored.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        key = self._new_key(group_id, view, watermark)
        put_parts(self._client, self._bucket, key, parts)
        return key

    @staticmethod
    def _new_key(group_id: str, view: str, watermark: datetime) -> str:
        return f"views/{group_id}/{view}/{watermark:%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"

    def supersede(self, key: str) -> None:
        """Tag a snapshot that no group points to any more; readers that are still at it may finish.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        _unless_absent(lambda: self._client.put_object_tagging(Bucket=self._bucket, Key=key, Tagging=SUPERSEDED))


def _unless_absent[T](call: Callable[[], T]) -> T | None:
    try:
        return asked_of_s3(call)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise


def label_of(pointer: Pointer) -> Label:
    """Return the label that the object must have that a pointer names."""
    return Label(pointer.group_id, pointer.view, pointer.watermark.isoformat())


def read_object[T](view_objects: ViewObjectStore, pointer: Pointer, decode: Callable[[memoryview], T]) -> T | None:
    """Return the object that a pointer names, or None, and log it, where it is missing or cannot be used.

    Raises:
        Unavailable: S3 is busy or out of reach.
    """
    try:
        content = view_objects.read(pointer)
        if content is not None:
            return decode(content)
        logger.warning("a snapshot is missing", extra={"key": pointer.key})
    except (SnapshotDamaged, SnapshotVersionUnknown) as error:
        logger.warning("a snapshot cannot be used", extra={"key": pointer.key, "reason": str(error)})
    return None
