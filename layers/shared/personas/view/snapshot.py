"""Snapshots of views in S3: written whole under a new name, never changed, and tagged once another took their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from personas.errors import Unavailable
from personas.store.faults import Meaning, meaning

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SUPERSEDED: Final = {"TagSet": [{"Key": "superseded", "Value": "true"}]}
"""The tag by which the bucket's lifecycle rule knows what it may remove."""


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
        with _translated():
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None

    def write(self, group_id: str, view: str, watermark: datetime, content: bytes) -> str:
        """Store a snapshot under a name of its own, which is returned.

        Raises:
            Unavailable: S3 is busy or out of reach.
        """
        key = f"views/{group_id}/{view}/{watermark:%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"
        with _translated():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
        return key

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


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of S3 that pass, as this service tells them."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if meaning(error) is Meaning.DEFECT:
            raise
        raise Unavailable("The store of the views is busy or out of reach. Try again shortly.") from error
