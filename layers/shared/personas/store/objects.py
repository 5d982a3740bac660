"""Calls to S3, and objects of the bucket that are written bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from personas.errors import Unavailable
from personas.runtime import deadline
from personas.store.attempts import attempted

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES: Final = 8 * 1024 * 1024
"""The bytes of an object written bit by bit that are held in memory: S3 takes no part below 5 MB but the last."""
ATTEMPTS: Final = 4
"""The number of attempts at a call to S3: what waits for it has other means, or none at all, and should say so soon."""

ABORT_TIME: Final = timedelta(seconds=1)
"""The time that an invocation keeps back to take away the parts of an object that is not finished."""

_BUSY: Final = "The store of files and views is busy or out of reach. Try again shortly."


def put_parts(
    client: S3Client, bucket: str, key: str, parts: Iterable[bytes], content_type: str = "application/octet-stream"
) -> None:
    """Store an object that is made bit by bit, in constant memory.

    Where making or storing it fails, there is no object, and nothing of it is left in S3.

    Raises:
        Unavailable: S3 is busy or out of reach.
    """
    portions = _portions(parts)
    first, second = next(portions), next(portions, None)
    if second is None:
        asked_of_s3(partial(client.put_object, Bucket=bucket, Key=key, Body=first, ContentType=content_type))
        return
    begun = asked_of_s3(lambda: client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type))
    upload = begun["UploadId"]
    with ExitStack() as undo:
        undo.callback(_abort, client, bucket, key, upload)
        with deadline().reserving(ABORT_TIME):
            done: list[CompletedPartTypeDef] = []
            numbered = enumerate(chain((first, second), portions), 1)
            del first, second  # or they would be held to the end
            for number, portion in numbered:
                answer = asked_of_s3(
                    partial(
                        client.upload_part, Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=portion
                    )
                )
                done.append({"ETag": answer["ETag"], "PartNumber": number})
            asked_of_s3(
                lambda: client.complete_multipart_upload(
                    Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
                )
            )
        undo.pop_all()


def _abort(client: S3Client, bucket: str, key: str, upload: str) -> None:
    # If this fails too, the bucket's lifecycle rule removes the parts.
    with suppress(Unavailable, ClientError):
        asked_of_s3(lambda: client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload))


def _portions(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in portions of 8 MB, the last one less; at least one."""
    held = bytearray()
    for part in parts:
        held += part
        while len(held) > PART_BYTES:
            with memoryview(held) as view:
                portion = bytes(view[:PART_BYTES])
            del held[:PART_BYTES]
            yield portion
            del portion
    yield bytes(held)


def asked_of_s3[T](call: Callable[[], T]) -> T:
    """Return the answer of S3 to ``call``, a body that it reads included.

    Raises:
        Unavailable: S3 is busy or out of reach.
        ClientError: there is no such object, or the call is a mistake of ours.
    """
    return attempted(deadline(), call, most=ATTEMPTS, busy=_BUSY)
