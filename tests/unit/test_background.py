"""The local stand-in for the schedule and for Lambda's reading of queues."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from personas_tools import background
from personas_tools.background import Background
from personas_tools.invocation import Answer, Failure, Json
from personas_tools.template import Schedule
from personas_tools.template_sources import QueueSource

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass
class Functions:
    """Functions that note what they are invoked with and answer as a test wants."""

    answer: Callable[[Json], Answer | Failure] = lambda _: Answer({"batchItemFailures": []})
    invoked: list[tuple[str, Json]] = field(default_factory=list)
    parallel: int = 1

    def invoke(self, name: str, event: Json) -> Answer | Failure:
        self.invoked.append((name, event))
        return self.answer(event)


@pytest.fixture
def sqs() -> Iterator["SQSClient"]:
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1")


@pytest.fixture
def queue(sqs: "SQSClient") -> str:
    return sqs.create_queue(QueueName="one", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]


def reading(sqs: "SQSClient", queue: str, functions: Functions, batch_size: int = 2) -> Background:
    return Background(sqs, functions, [Schedule("tick", {"source": "test"})], [QueueSource("take", queue, batch_size)])


def records(event: Json) -> list[dict[str, Json]]:
    """Return the messages of an event."""
    assert isinstance(event, dict)
    found = event["Records"]
    assert isinstance(found, list)
    return [record for record in found if isinstance(record, dict)]


def waiting(sqs: "SQSClient", queue: str) -> list[str]:
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return sorted(message["Body"] for message in found)


def test_messages_come_in_batches_and_are_gone(sqs: "SQSClient", queue: str) -> None:
    for number in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"number": number}))
    functions = Functions()

    reading(sqs, queue, functions).drain()

    batches = [records(event) for name, event in functions.invoked if name == "take"]
    assert [len(each) for each in batches] == [2, 1]
    assert {record["eventSource"] for each in batches for record in each} == {"aws:sqs"}
    assert sorted(str(record["body"]) for each in batches for record in each) == [
        f'{{"number": {number}}}' for number in range(3)
    ]
    assert waiting(sqs, queue) == []


def test_what_a_function_does_not_manage_stays(sqs: "SQSClient", queue: str) -> None:
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    for body in ("good", "bad"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)

    def answer(event: Json) -> Answer:
        return Answer(
            {
                "batchItemFailures": [
                    {"itemIdentifier": each["messageId"]} for each in records(event) if each["body"] == "bad"
                ]
            }
        )

    reading(sqs, queue, Functions(answer)).drain()
    time.sleep(2.1)
    assert waiting(sqs, queue) == ["bad"]


def test_where_the_function_fails_all_stay(sqs: "SQSClient", queue: str) -> None:
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    for body in ("one", "two"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    reading(sqs, queue, Functions(lambda _: Failure("no luck"))).drain()
    time.sleep(2.1)
    assert waiting(sqs, queue) == ["one", "two"]


def test_a_queue_that_is_gone_ends_nothing(sqs: "SQSClient", queue: str) -> None:
    sqs.delete_queue(QueueUrl=queue)
    reading(sqs, queue, Functions()).drain()


def test_it_goes_on_by_itself_until_it_is_stopped(
    sqs: "SQSClient", queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "SCHEDULE_EVERY", 0.05)
    monkeypatch.setattr(background, "LOOK_EVERY", 0.01)
    sqs.send_message(QueueUrl=queue, MessageBody="one")
    functions = Functions()
    with reading(sqs, queue, functions):
        ends = time.monotonic() + 10
        while {name for name, _ in functions.invoked} != {"tick", "take"} and time.monotonic() < ends:
            time.sleep(0.01)
    done = len(functions.invoked)
    time.sleep(0.1)
    assert {name for name, _ in functions.invoked} == {"tick", "take"}
    assert ("tick", {"source": "test"}) in functions.invoked
    assert len(functions.invoked) == done
