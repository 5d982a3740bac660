"""The local stand-in for Lambda's reading of a table's stream: filter, batches, halves, repeats, what is given up."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from personas_tools import streams
from personas_tools.invocation import Answer, Failure, Json
from personas_tools.streams import Record, Stream, StreamReader, matches
from personas_tools.template_sources import StreamSource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PATTERN: Final[Json] = {"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "persona#"}]}}}}
BUCKET: Final = "bucket"
DONE: Final = Answer({"batchItemFailures": []})


@dataclass
class Function:
    """A function that answers as a test wants and notes the numbers of the records that it is handed."""

    answer: Callable[[list[str]], Answer | Failure] = lambda _: DONE
    handed: list[list[str]] = field(default_factory=list)
    parallel: int = 1

    def invoke(self, _name: str, event: Json) -> Answer | Failure:
        assert isinstance(event, dict)
        assert isinstance(event["Records"], list)
        self.handed.append(numbers(event["Records"]))
        return self.answer(self.handed[-1])


class Written:
    """A stream of records that a test has made, by shard; a shard without any cannot be read."""

    def __init__(self, **shards: list[Record]) -> None:
        self.shards = shards

    def list_streams(self, *, TableName: str) -> Mapping[str, Any]:
        return {"Streams": [{"StreamArn": TableName}]}

    def describe_stream(self, *, StreamArn: str) -> Mapping[str, Any]:
        return {"StreamDescription": {"StreamArn": StreamArn, "Shards": [{"ShardId": each} for each in self.shards]}}

    def get_shard_iterator(self, *, StreamArn: str, ShardId: str, ShardIteratorType: str) -> Mapping[str, Any]:
        assert (StreamArn, ShardIteratorType) == ("table", "TRIM_HORIZON")
        return {"ShardIterator": f"{ShardId} 0"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> Mapping[str, Any]:
        shard, begin = ShardIterator.split()
        if not self.shards[shard]:
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "GetRecords")
        taken = self.shards[shard][int(begin) :][:Limit]
        return {"Records": taken, "NextShardIterator": f"{shard} {int(begin) + len(taken)}"}


def numbers(records: list[Any]) -> list[str]:
    return [record["dynamodb"]["SequenceNumber"] for record in records]


def record(number: int, sk: str = "persona#1") -> Record:
    return {"dynamodb": {"SequenceNumber": str(number), "Keys": {"sk": {"S": sk}}}}


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAUSE_MAX", 0.0)


def reader(s3: "S3Client", function: Function, **shards: list[Record]) -> StreamReader:
    source = StreamSource("record", "table", PATTERN, 4, 3)
    return StreamReader(Stream(Written(**shards), "table"), source, function, s3, BUCKET)


def drain(s3: "S3Client", function: Function, records: list[Record]) -> None:
    reader(s3, function, shard=records).drain()


def given_up(s3: "S3Client") -> list[list[str]]:
    """Return what lies in the bucket, as `personas history replay` reads it."""
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=streams.FAILURES).get("Contents", [])
    bodies = [s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in found]
    return [numbers(json.loads(json.loads(body)["payload"])["Records"]) for body in bodies]


def failing(*bad: str) -> Callable[[list[str]], Answer]:
    """Return the answers of a function that reports these records."""
    return lambda handed: Answer({"batchItemFailures": [{"itemIdentifier": each} for each in bad if each in handed]})


def test_records_come_in_batches_of_those_that_pass_the_filter(s3: "S3Client") -> None:
    function = Function()
    drain(s3, function, [record(1), record(2, "draft#1"), record(3), record(4, "key"), record(5)])
    assert function.handed == [["1", "3"], ["5"]]
    assert given_up(s3) == []


def test_what_fails_once_comes_again_with_what_followed_it(s3: "S3Client") -> None:
    answers = iter([failing("2")(["2"]), DONE])
    function = Function(lambda _: next(answers))
    drain(s3, function, [record(each) for each in (1, 2, 3)])
    assert function.handed == [["1", "2", "3"], ["2", "3"]]
    assert given_up(s3) == []


def test_what_always_fails_is_left_in_the_bucket_and_the_next_batch_comes(s3: "S3Client") -> None:
    function = Function(failing("2"))
    drain(s3, function, [record(each) for each in range(1, 6)])
    assert function.handed == [["1", "2", "3", "4"], ["2", "3", "4"], ["2", "3", "4"], ["5"]]
    assert given_up(s3) == [["2", "3", "4"]]


def test_where_the_function_crashes_the_batch_is_halved_until_the_culprit_is_alone(s3: "S3Client") -> None:
    function = Function(lambda handed: Failure("crashed") if "3" in handed else DONE)
    drain(s3, function, [record(each) for each in (1, 2, 3, 4)])
    assert [each for each in function.handed if "3" not in each] == [["1", "2"], ["4"]]
    assert given_up(s3) == [["3"]]


def test_where_a_shard_cannot_be_read_those_before_it_are_handed_over(s3: "S3Client") -> None:
    # Given a shard that can be read, and behind it one that cannot
    function = Function()
    shards = reader(s3, function, first=[record(each) for each in range(1, 6)], second=[])

    # When they are read, then what the first one has is handed over, each record once
    shards.drain()
    assert function.handed == [["1", "2", "3", "4"], ["5"]]


def test_what_cannot_be_left_in_the_bucket_is_handed_over_again(s3: "S3Client") -> None:
    # Given a function that fails, and a bucket that takes nothing
    function = Function(failing("1"))
    shards = reader(s3, function, shard=[record(1)])
    s3.delete_bucket(Bucket=BUCKET)

    # When the batch is given up, then that is no fault of the stream,
    with pytest.raises(ClientError, match="NoSuchBucket"):
        shards.drain()

    # and the batch is not lost
    function.answer = lambda _: DONE
    function.handed.clear()
    shards.drain()
    assert function.handed == [["1"]]


def test_a_reader_goes_on_where_the_bucket_takes_nothing_for_a_while(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a running reader whose function fails, and a bucket that takes nothing
    monkeypatch.setattr(streams, "LOOK_EVERY", 0.01)
    again, function = threading.Event(), Function()

    def answer(handed: list[str]) -> Answer:
        if len(function.handed) > 3:  # as often as a batch is tried
            again.set()
        return failing("1")(handed)

    function.answer = answer
    s3.delete_bucket(Bucket=BUCKET)
    with reader(s3, function, shard=[record(1)]):
        assert again.wait(10)

        # When the bucket is there again
        s3.create_bucket(Bucket=BUCKET)

    # Then the batch lies in it
    assert given_up(s3) == [["1"]]


def test_a_stream_that_cannot_be_read_ends_nothing(s3: "S3Client") -> None:
    with mock_aws():
        client = boto3.client("dynamodbstreams", region_name="us-east-1")
        stream = Stream(client, "absent")
        StreamReader(stream, StreamSource("record", "absent", PATTERN, 4, 3), Function(), s3, BUCKET).drain()


def test_a_pattern_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="no rule"):
        matches({"eventName": [{"anything-but": "REMOVE"}]}, {"eventName": "INSERT"})


def test_the_shard_that_follows_one_that_has_ended_is_read() -> None:
    # Given a shard that ends with its last record, and is followed by another,
    class Ending(Written):
        def get_records(self, *, ShardIterator: str, Limit: int) -> Mapping[str, Any]:
            answer = super().get_records(ShardIterator=ShardIterator, Limit=Limit)
            if ShardIterator.startswith("second"):
                return answer
            self.shards["second"] = [record(2)]
            return {**answer, "NextShardIterator": None}

    stream = Stream(Ending(first=[record(1)]), "table")
    # when it is read again and again,
    read = [[numbers(batch) for batch in stream.read(4)] for _ in range(3)]
    # then the records of both come, once.
    assert read == [[["1"]], [["2"]], []]


@pytest.mark.emulator
def test_it_reads_the_stream_of_the_emulator_as_lambda_hands_it_over(ministack: str) -> None:
    dynamodb = boto3.client("dynamodb", endpoint_url=ministack, region_name="us-east-1")
    dynamodb.create_table(
        TableName="streamed",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    where = {"pk": {"S": "group#1"}, "sk": {"S": "persona#1"}}
    dynamodb.put_item(TableName="streamed", Item={**where, "texts": {"B": b"one"}, "row": {"M": {"n": {"S": "Ada"}}}})
    dynamodb.update_item(
        TableName="streamed",
        Key=where,
        UpdateExpression="SET #row.n = :name",
        ExpressionAttributeNames={"#row": "row"},
        ExpressionAttributeValues={":name": {"S": "Grace"}},
    )
    dynamodb.delete_item(TableName="streamed", Key=where)
    stream = Stream(boto3.client("dynamodbstreams", endpoint_url=ministack, region_name="us-east-1"), "streamed")

    records = [each for _ in range(2) for batch in stream.read(2) for each in batch]

    assert json.loads(json.dumps(records)) == records
    assert [each["eventName"] for each in records] == ["INSERT", "MODIFY", "REMOVE"]
    inserted, modified, removed = (each["dynamodb"] for each in records)
    assert inserted["NewImage"]["texts"] == {"B": "b25l"}
    assert "OldImage" not in inserted
    assert (modified["OldImage"]["row"], modified["NewImage"]["row"]) == (
        {"M": {"n": {"S": "Ada"}}},
        {"M": {"n": {"S": "Grace"}}},
    )
    assert removed["OldImage"]["row"] == {"M": {"n": {"S": "Grace"}}}
    assert isinstance(inserted["ApproximateCreationDateTime"], float)
    assert list(stream.read(2)) == []
