"""AWS without the network: the real clients, whose requests are answered in this process.

All of a request's own cost is there: parameters to JSON, the signature, the checksum of the stored bytes, the answer's
bytes to values. HTTP, TLS and the wait are not there. Conditions are taken for true: one process writes here. The CPU
time of the answers is counted apart, for in AWS it is not the caller's.
"""

import io
import json
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from threading import Lock
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient

PAGE_BYTES = 1_000_000
"""About what DynamoDB gives in a page."""


class AwsInMemory:
    """A table and a bucket. ``calls`` are the operations that were asked for, ``cpu_seconds`` what they have taken."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.cpu_seconds = 0.0
        self._counting = Lock()
        self._changed: dict[str, list[tuple[str, str]]] = {}

    def answer(self, client: BaseClient) -> None:
        """Have this client's requests answered here."""
        client.meta.events.register("before-send", self._respond)

    def callers_cpu_seconds(self) -> float:
        """Return the CPU time of this process so far without that of the answers."""
        return time.process_time() - self.cpu_seconds

    def _respond(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        began = time.thread_time()
        answer = self._answered(request, event_name.rpartition(".")[2])
        with self._counting:
            self.cpu_seconds += time.thread_time() - began
        return answer

    def _answered(self, request: AWSPreparedRequest, operation: str) -> AWSResponse:
        self.calls.append(operation)
        if "X-Amz-Target" in request.headers:
            body = json.dumps(getattr(self, f"_{operation}")(json.loads(request.body))).encode()
            return _answer(request, 200, {"content-type": "application/x-amz-json-1.0"}, body)
        return self._object(request, operation)

    # ---- DynamoDB ----------------------------------------------------------------------------------------------------

    def _GetItem(self, request: dict[str, Any]) -> dict[str, Any]:
        item = self.items.get(_key(request["Key"]))
        return {"Item": item} if item else {}

    def _BatchGetItem(self, request: dict[str, Any]) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        found = [self.items[_key(key)] for key in wanted["Keys"] if _key(key) in self.items]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def _PutItem(self, request: dict[str, Any]) -> dict[str, Any]:
        item = request["Item"]
        key = _key(item)
        listed = self._changed.setdefault(key[0], [])
        old = self.items.get(key)
        if old and "changed" in old:
            del listed[bisect_left(listed, (old["changed"]["S"], key[1]))]
        if "changed" in item:
            entry = (item["changed"]["S"], key[1])
            listed.insert(bisect_left(listed, entry), entry)
        self.items[key] = item
        return {}

    def _DeleteItem(self, request: dict[str, Any]) -> dict[str, Any]:
        self.items.pop(_key(request["Key"]), None)
        return {}

    def _TransactWriteItems(self, request: dict[str, Any]) -> dict[str, Any]:
        for action in request["TransactItems"]:
            self._PutItem(action["Put"])
        return {}

    def _Query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer with a range of the index `changes` and its projected attributes."""
        values = request["ExpressionAttributeValues"]
        partition, first, last = (values[name]["S"] for name in (":pk", ":first", ":last"))
        listed = self._changed.get(partition, [])
        start = bisect_left(listed, (first, ""))
        if "ExclusiveStartKey" in request:
            behind = request["ExclusiveStartKey"]
            start = bisect_right(listed, (behind["changed"]["S"], behind["sk"]["S"]))
        page, size = [], 0
        for entry in listed[start : bisect_right(listed, (last, "\U0010ffff"))]:
            if size > PAGE_BYTES:
                return {"Items": page, "Count": len(page), "LastEvaluatedKey": page[-1]}
            item = self.items[partition, entry[1]]
            page.append({name: value for name, value in item.items() if name in _PROJECTED})
            size += len(str(page[-1]))
        return {"Items": page, "Count": len(page)}

    # ---- S3 ----------------------------------------------------------------------------------------------------------

    def _object(self, request: AWSPreparedRequest, operation: str) -> AWSResponse:
        key = request.url.partition("?")[0]
        if operation == "PutObject":
            self.objects[key] = _body(request)
            return _answer(request, 200, {"etag": '"1"'}, b"")
        if operation == "PutObjectTagging":
            return _answer(request, 200, {}, b"")
        if operation == "CreateMultipartUpload":
            self.objects[key] = b""
            body = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
            return _answer(request, 200, {}, body)
        if operation == "UploadPart":
            self.objects[key] += _body(request)
            return _answer(request, 200, {"etag": '"1"'}, b"")
        if operation == "CompleteMultipartUpload":
            return _answer(request, 200, {}, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
        content = self.objects.get(key)
        if content is None:
            return _answer(request, 404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
        if operation == "HeadObject":
            return _answer(request, 200, {"content-length": str(len(content))}, b"")
        first, _, last = request.headers["Range"].decode().removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1 if last else None]
        return _answer(request, 206, {"content-length": str(len(part))}, part)


_PROJECTED = frozenset(("pk", "sk", "changed", "row", "seq", "version", "deleted", "expires_at"))


class _Raw(io.BytesIO):
    """The body of an answer as urllib3 would hand it over."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def _answer(request: AWSPreparedRequest, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
    return AWSResponse(request.url, status, headers, _Raw(body))


def _key(attributes: dict[str, Any]) -> tuple[str, str]:
    return attributes["pk"]["S"], attributes["sk"]["S"]


def _body(request: AWSPreparedRequest) -> bytes:
    """Return the content to store, out of the chunks in which it is sent: one, and the trailer with the checksum."""
    body = request.body if isinstance(request.body, bytes) else request.body.read()
    if request.headers.get("Content-Encoding", b"") not in (b"aws-chunked", "aws-chunked"):
        return bytes(body)
    parts, at = [], 0
    while True:
        end = body.index(b"\r\n", at)
        length = int(body[at:end], 16)
        if not length:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + length])
        at = end + 2 + length + 2
