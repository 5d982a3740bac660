"""The queue of groups to refresh: batches as SQS takes them, and what it did not take."""

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from personas.errors import Unavailable
from personas.store.queue import RefreshQueue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Sqs:
    """A client of SQS that keeps the batches that it took, and ``refuses`` some, or all with an error."""

    def __init__(self, *, refuses: bool = False, error: Exception | None = None) -> None:
        self.batches: list[list[str]] = []
        self.attempts = 0
        self._refuses = refuses
        self._error = error

    def send_message_batch(self, **told: Any) -> dict[str, object]:
        self.attempts += 1
        if self._error is not None:
            raise self._error
        assert told["QueueUrl"] == "queue"
        assert [each["Id"] for each in told["Entries"]] == [str(place) for place in range(len(told["Entries"]))]
        self.batches.append([json.loads(each["MessageBody"])["group_id"] for each in told["Entries"]])
        return {"Failed": [{"Id": "0"}]} if self._refuses else {"Successful": []}


def send(sqs: Sqs, groups: int) -> int:
    return RefreshQueue(cast("SQSClient", sqs), "queue").send(f"group {number}" for number in range(groups))


def test_every_group_gets_a_message_in_batches_of_ten() -> None:
    sqs = Sqs()
    assert send(sqs, 21) == 21
    assert list(map(len, sqs.batches)) == [10, 10, 1]
    assert [each for batch in sqs.batches for each in batch] == [f"group {number}" for number in range(21)]


def test_a_message_that_was_not_taken_is_told() -> None:
    with pytest.raises(Unavailable) as caught:
        send(Sqs(refuses=True), 1)
    assert caught.value.detail == "The refresh queue did not take every group. Try again shortly."


def test_after_three_attempts_it_is_the_queue_that_is_busy(waiting: object) -> None:
    sqs = Sqs(error=EndpointConnectionError(endpoint_url="https://sqs.test"))
    with pytest.raises(Unavailable) as caught:
        send(sqs, 1)
    assert sqs.attempts == 3
    assert caught.value.detail == "The refresh queue is busy or out of reach. Try again shortly."
