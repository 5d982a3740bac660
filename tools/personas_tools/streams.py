"""The streams of tables, read as Lambda reads them for a function: filtered, in batches, tried again, given up.

One thread reads for each function. It leaves in the bucket, as Lambda does, the records that it gives up.
"""

import base64
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from personas_tools.gateway import Invoker
from personas_tools.invocation import Answer, Failure, failed_items
from personas_tools.template_nodes import Node
from personas_tools.template_sources import StreamSource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOOK_EVERY: Final = 0.2
PAUSE_MAX: Final = 2.0
"""Seconds."""
FAILURES: Final = "aws/lambda/"
"""The beginning of the names that Lambda gives to what it leaves in a bucket."""

type Record = dict[str, Any]

_log = logging.getLogger(__name__)


class StreamsClient(Protocol):
    """The calls to DynamoDB Streams that are made here."""

    def list_streams(self, *, TableName: str) -> Mapping[str, Any]:
        """Name the streams of a table."""

    def describe_stream(self, *, StreamArn: str) -> Mapping[str, Any]:
        """Name the shards of a stream."""

    def get_shard_iterator(self, *, StreamArn: str, ShardId: str, ShardIteratorType: str) -> Mapping[str, Any]:
        """Begin to read a shard."""

    def get_records(self, *, ShardIterator: str, Limit: int) -> Mapping[str, Any]:
        """Read on in a shard."""


class Stream:
    """The stream of a table, from its beginning or from now on; shards are looked for again when one has ended."""

    def __init__(self, client: StreamsClient, table: str, *, from_now: bool = False) -> None:
        self._client = client
        self._table = table
        self._begin = "LATEST" if from_now else "TRIM_HORIZON"
        self._shards: list[tuple[str, str]] = []
        self._iterators: dict[str, str | None] = {}

    def read(self, most: int) -> Iterator[list[Record]]:
        """Yield the next records of each shard that has some, as Lambda hands them over, at most so many.

        They are behind the reader once it asks for the next: those that it fails with come again.

        Raises:
            ClientError, BotoCoreError: the stream cannot be read.
        """
        if not self._shards:
            self._shards = [
                (stream["StreamArn"], shard["ShardId"])
                for stream in self._client.list_streams(TableName=self._table)["Streams"]
                for shard in self._client.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
            ]
        for arn, shard in self._shards:
            yield from self._read_shard(arn, shard, most)

    def _read_shard(self, arn: str, shard: str, most: int) -> Iterator[list[Record]]:
        if shard not in self._iterators:
            found = self._client.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=self._begin)
            self._iterators[shard] = found["ShardIterator"]
        iterator = self._iterators[shard]
        if iterator is None:
            return
        answer = self._client.get_records(ShardIterator=iterator, Limit=most)
        if answer["Records"]:
            yield [{**_plain(record), "eventSourceARN": arn} for record in answer["Records"]]
        self._iterators[shard] = answer.get("NextShardIterator")
        if self._iterators[shard] is None:
            self._shards = []


def _plain(value: Any) -> Any:
    """Return a part of a record as Lambda writes it in JSON."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
        case {"PrincipalId": principal, "Type": kind}:
            return {"principalId": principal, "type": kind}
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
    return value


class StreamReader:
    """A reader of one stream for one function, in a thread of its own, as a context manager.

    Function and table go by the names that the local stack gives them.
    """

    def __init__(self, stream: Stream, source: StreamSource, invoker: Invoker, s3: "S3Client", bucket: str) -> None:
        self._stream = stream
        self._source = source
        self._invoker = invoker
        self._s3 = s3
        self._bucket = bucket
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"stream of {source.function}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Hand over what is there, and stop: the stream of the emulator does not outlive it."""
        self._stopped.set()
        self._thread.join()
        self.drain()

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_EVERY):
            try:
                self.drain()
            except (ClientError, BotoCoreError) as error:
                _log.warning("%s gave up records, which cannot be kept: %s", self._source.function, error)

    def drain(self) -> None:
        """Hand over what has been written so far.

        Raises:
            ClientError, BotoCoreError: the bucket did not take what the function does not; it is handed over again.
        """
        found = True
        while found:
            found = False
            batches = self._stream.read(self._source.batch_size)
            while records := self._next(batches):
                found = True
                wanted = [record for record in records if matches(self._source.pattern, record)]
                if wanted:
                    self._hand_over(wanted)

    def _next(self, batches: Iterator[list[Record]]) -> list[Record] | None:
        try:
            return next(batches, None)
        except (ClientError, BotoCoreError) as error:
            _log.warning("the stream of %s cannot be read: %s", self._source.table, error)
            return None

    def _hand_over(self, records: Sequence[Record]) -> None:
        """Have the function take a batch: in halves where it fails, and from the first that it names where it does."""
        for attempt in range(self._source.attempts):
            if attempt:
                self._stopped.wait(min(PAUSE_MAX, 0.05 * 2**attempt))
            outcome = self._invoke(records)
            if isinstance(outcome, Answer):
                failed = failed_items(outcome.payload)
                left = [number for number, each in enumerate(records) if _number_of(each) in failed]
                if not left:
                    return
                records = records[left[0] :]
            elif len(records) > 1:
                middle = len(records) // 2
                self._hand_over(records[:middle])
                self._hand_over(records[middle:])
                return
        self._give_up(records)

    def _invoke(self, records: Sequence[Record]) -> Answer | Failure:
        try:
            return self._invoker.invoke(self._source.function, {"Records": list(records)})
        except OSError as error:  # the invoker has ended meanwhile
            return Failure(str(error))

    def _give_up(self, records: Sequence[Record]) -> None:
        now = datetime.now(UTC)
        failure = {
            "requestContext": {"functionArn": self._source.function, "condition": "RetryAttemptsExhausted"},
            "timestamp": now.isoformat(),
            "DDBStreamBatchInfo": {
                "startSequenceNumber": _number_of(records[0]),
                "endSequenceNumber": _number_of(records[-1]),
                "batchSize": len(records),
            },
            "payload": json.dumps({"Records": list(records)}),
        }
        key = f"{FAILURES}{self._source.function}/{now:%Y-%m-%dT%H.%M.%S}-{uuid4()}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=json.dumps(failure).encode())
        _log.warning("%s does not take %d records; they lie in %s", self._source.function, len(records), key)


def matches(pattern: Node, record: object) -> bool:
    """Tell whether a record passes a filter pattern, of which prefixes and equal values are known.

    Raises:
        ValueError: the pattern says something else.
    """
    match pattern:
        case dict():
            return all(
                isinstance(record, Mapping) and matches(part, record.get(name)) for name, part in pattern.items()
            )
        case list():
            return any(_passes(each, record) for each in pattern)
    raise ValueError(f"{pattern} is no pattern")


def _passes(rule: Node, value: object) -> bool:
    match rule:
        case {"prefix": str(prefix)}:
            return isinstance(value, str) and value.startswith(prefix)
        case str():
            return value == rule
    raise ValueError(f"{rule} is no rule that is known")


def _number_of(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
