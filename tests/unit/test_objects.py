"""Objects that are written bit by bit: whole under their name, or nothing of them is left."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from personas.errors import Unavailable
from personas.runtime import deadline
from personas.store import objects
from personas.store.objects import ABORT_TIME, asked_of_s3, put_parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART: Final = 4
UPLOAD: Final = {"Bucket": "bucket", "Key": "key", "UploadId": "upload"}


class Bucket:
    """A client of S3 that keeps the objects and the parts of one upload; ``fails`` are the errors of its operations."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.parts: dict[int, bytes] = {}
        self.type = ""
        self.left: timedelta | None = None
        self.fails: dict[str, Exception] = {}

    def put_object(self, **told: Any) -> dict[str, object]:
        assert told["Bucket"] == "bucket"
        self.objects[told["Key"]] = (told["Body"], told["ContentType"])
        return {}

    def create_multipart_upload(self, **told: Any) -> dict[str, object]:
        assert told == {"Bucket": "bucket", "Key": "key", "ContentType": "text/csv"}
        self.type = told["ContentType"]
        return {"UploadId": "upload"}

    def upload_part(self, **told: Any) -> dict[str, object]:
        number, body = told.pop("PartNumber"), told.pop("Body")
        assert told == UPLOAD
        self._fail("upload_part")
        self.left = deadline().left_for_calls()
        self.parts[number] = body
        return {"ETag": f"tag {number}"}

    def complete_multipart_upload(self, **told: Any) -> dict[str, object]:
        parts = told.pop("MultipartUpload")["Parts"]
        assert told == UPLOAD
        assert parts == [{"ETag": f"tag {number}", "PartNumber": number} for number in sorted(self.parts)]
        self.objects["key"] = (b"".join(self.parts[each["PartNumber"]] for each in parts), self.type)
        return {}

    def abort_multipart_upload(self, **told: Any) -> dict[str, object]:
        assert told == UPLOAD
        self._fail("abort")
        self.parts.clear()
        return {}

    def _fail(self, operation: str) -> None:
        if operation in self.fails:
            raise self.fails[operation]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setattr(objects, "PART_BYTES", PART)
    return Bucket()


def refused(operation: str) -> ClientError:
    answer: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return ClientError(answer, operation)


def put(bucket: Bucket, parts: Iterator[bytes]) -> None:
    put_parts(cast("S3Client", bucket), "bucket", "key", parts, "text/csv")


@pytest.mark.parametrize("content", [b"", b"one", b"full"])
def test_one_that_is_no_longer_than_a_part_is_put_at_once(bucket: Bucket, content: bytes) -> None:
    put(bucket, iter([content[:2], content[2:]]))
    assert bucket.objects == {"key": (content, "text/csv")}
    assert bucket.parts == {}


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 11, 26])
def test_a_longer_one_is_put_in_parts_of_one_length(bucket: Bucket, cut: int) -> None:
    # Given contents that come in pieces of another length than a part has,
    content = b"abcdefghijklmnopqrstuvwxyz"
    # when they are stored,
    put(bucket, (content[start : start + cut] for start in range(0, len(content), cut)))
    # then the object holds all of them, and no part but the last is shorter.
    assert bucket.objects == {"key": (content, "text/csv")}
    assert [len(bucket.parts[number]) for number in range(1, 8)] == [PART] * 6 + [2]


def test_nothing_is_left_of_one_whose_making_fails(bucket: Bucket) -> None:
    def parts() -> Iterator[bytes]:
        yield b"abcdefghijkl"
        raise ValueError("made up")

    with pytest.raises(ValueError, match="made up"):
        put(bucket, parts())
    assert (bucket.objects, bucket.parts) == ({}, {})


def test_time_is_kept_back_to_take_the_parts_away(bucket: Bucket) -> None:
    # Given a call that has five seconds for calls, when parts are put,
    with deadline().within(timedelta(seconds=5)):
        put(bucket, iter([b"abcdefghijkl"]))
    # then each has the less of them that taking away may need.
    assert bucket.left is not None
    assert bucket.left < timedelta(seconds=5) - ABORT_TIME


@pytest.mark.parametrize("error", [refused("AbortMultipartUpload"), EndpointConnectionError(endpoint_url="s3.test")])
def test_the_reason_is_told_though_the_parts_cannot_be_taken_away(
    bucket: Bucket, error: Exception, waiting: object
) -> None:
    bucket.fails = {"upload_part": refused("UploadPart"), "abort": error}
    with pytest.raises(ClientError) as caught:
        put(bucket, iter([b"abcdefghijkl"]))
    assert caught.value.operation_name == "UploadPart"


def test_after_four_attempts_it_is_the_store_of_files_that_is_busy(waiting: object) -> None:
    # Given S3 out of reach, when something is asked of it,
    attempts = count(1)

    def call() -> None:
        next(attempts)
        raise EndpointConnectionError(endpoint_url="s3.test")

    with pytest.raises(Unavailable) as caught:
        asked_of_s3(call)
    # then it is given up after four attempts, and said of S3.
    assert next(attempts) == 5
    assert caught.value.detail == "The store of files and views is busy or out of reach. Try again shortly."
