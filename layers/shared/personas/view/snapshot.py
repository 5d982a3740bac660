"""Snapshots of views in S3: written whole under a new name, never changed, and tagged once another took their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError

from personas.errors import Unavailable
from personas.store.faults import Meaning, meaning

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

SUPERSEDED: Final = {"TagSet": [{"Key": "superseded", "Value": "true"}]}
"""The tag by which the bucket's lifecycle rule knows what it may remove."""

PART_BYTES: Final = 8 * 1024 * 1024
"""How much of an object that is written bit by bit is held in memory: S3 takes no part below 5 MB but the last."""
_ABSENT: Final = frozenset({"NoSuchKey", "404", "InvalidRange"})
_READS: Final = 3
"""How often an object is read whose bytes break off on their way: botocore tries a request again, but not this."""


class SnapshotStore:
    """The snapshots of all groups, below ``views/``."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, key: str) -> bytes | None:
        """A snapshot, or None where it is not there.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        return self._read(key, "bytes=0-")

    def read_range(self, key: str, start: int, length: int) -> bytes | None:
        """So many bytes of a snapshot from ``start`` on, or None where it is not there or has none of them.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        return self._read(key, f"bytes={start}-{start + length - 1}")

    def length(self, key: str) -> int | None:
        """How many bytes a snapshot has, or None where it is not there.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        with _translated():
            try:
                return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            except ClientError as error:
                if error.response["Error"]["Code"] in _ABSENT:
                    return None
                raise

    def older(self, group_id: str, before: datetime) -> list[str]:
        """All objects of a group's views that were written before that time, needed or not.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        with _translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"views/{group_id}/"
            )
            return [each["Key"] for page in pages for each in page.get("Contents", ()) if each["LastModified"] < before]

    def _read(self, key: str, wanted: str) -> bytes | None:
        with _translated():
            for attempt in range(_READS):
                try:
                    return self._client.get_object(Bucket=self._bucket, Key=key, Range=wanted)["Body"].read()
                except ClientError as error:
                    if error.response["Error"]["Code"] in _ABSENT:
                        return None
                    raise
                except (HTTPClientError, IncompleteReadError):
                    if attempt + 1 == _READS:
                        raise
        raise AssertionError("the loop ends by itself")

    def write(self, group_id: str, view: str, watermark: datetime, content: bytes) -> str:
        """Store a snapshot under a name of its own, which is returned.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        key = self._new_key(group_id, view, watermark)
        with _translated():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
        return key

    def write_parts(self, group_id: str, view: str, watermark: datetime, parts: Iterable[bytes]) -> str:
        """Store a snapshot that is made bit by bit, in constant memory, under a name of its own, which is returned.

        Where making it fails, nothing is stored.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        key = self._new_key(group_id, view, watermark)
        portions = _portions(parts)
        first, second = next(portions), next(portions, None)
        if second is None:
            with _translated():
                self._client.put_object(Bucket=self._bucket, Key=key, Body=first)
            return key
        with _translated():
            upload = self._client.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"]
        with ExitStack() as undo:
            undo.callback(self._abort, key, upload)
            done: list[CompletedPartTypeDef] = []
            for number, portion in enumerate(chain((first, second), portions), 1):
                with _translated():
                    answer = self._client.upload_part(
                        Bucket=self._bucket, Key=key, UploadId=upload, PartNumber=number, Body=portion
                    )
                done.append({"ETag": answer["ETag"], "PartNumber": number})
            with _translated():
                self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
                )
            undo.pop_all()
        return key

    def _abort(self, key: str, upload: str) -> None:
        # Where this fails too, the bucket's lifecycle rule removes the parts.
        with suppress(ClientError, BotoCoreError):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)

    @staticmethod
    def _new_key(group_id: str, view: str, watermark: datetime) -> str:
        return f"views/{group_id}/{view}/{watermark:%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"

    def supersede(self, key: str) -> None:
        """Say that no group points to a snapshot any more; readers that are still at it may finish.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        with _translated():
            try:
                self._client.put_object_tagging(Bucket=self._bucket, Key=key, Tagging=SUPERSEDED)  # type: ignore[arg-type]  # a TypedDict by another name
            except self._client.exceptions.NoSuchKey:
                return


def _portions(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in portions of 8 MB, the last one less; at least one."""
    held = bytearray()
    for part in parts:
        held += part
        while len(held) > PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    yield bytes(held)


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of S3 that pass, as this service tells them."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if meaning(error) is Meaning.DEFECT:
            raise
        raise Unavailable("The store of the views is busy or out of reach. Try again shortly.") from error
