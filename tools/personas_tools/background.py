"""The work that AWS does unasked, on this machine: EventBridge Scheduler, and Lambda's reading of queues.

The schedules run once a minute, whatever the template says, and the queues are looked at every few seconds: locally,
nobody waits a quarter of an hour.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

from personas_tools.gateway import Invoker
from personas_tools.invocation import Answer, Failure, Json, failed_items
from personas_tools.template import Schedule
from personas_tools.template_sources import QueueSource

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

SCHEDULE_EVERY: Final = 60.0
LOOK_EVERY: Final = 3.0

_log = logging.getLogger(__name__)


class Background:
    """An invoker of functions by schedules and with messages of queues, in a thread of its own, as a context manager.

    Functions and queues go by the names and addresses that the local stack gives them. Whoever ends it ends the
    invoker first, or it waits for a function: that is what `stop` is for.
    """

    def __init__(
        self, sqs: "SQSClient", invoker: Invoker, schedules: Sequence[Schedule], sources: Sequence[QueueSource]
    ) -> None:
        self._sqs = sqs
        self._invoker = invoker
        self._schedules = schedules
        self._sources = sources
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Begin nothing any more."""
        self._stopped.set()

    def _run(self) -> None:
        due = time.monotonic() + SCHEDULE_EVERY
        while not self._stopped.wait(LOOK_EVERY):
            if time.monotonic() >= due:
                due += SCHEDULE_EVERY
                self.schedule()
            self.drain()

    def schedule(self) -> None:
        """Invoke the function of every schedule once."""
        for schedule in self._schedules:
            self._invoke(schedule.function, schedule.event)

    def drain(self) -> None:
        """Hand out what lies on the queues; what a function does not manage stays there."""
        try:
            for source in self._sources:
                while not self._stopped.is_set() and self._hand_out(source):
                    pass
        except (ClientError, BotoCoreError) as error:
            _log.warning("the queues cannot be read: %s", error)

    def _hand_out(self, source: QueueSource) -> bool:
        """Hand out one batch; whether there was one."""
        received = self._sqs.receive_message(
            QueueUrl=source.queue, MaxNumberOfMessages=source.batch_size, MessageSystemAttributeNames=["All"]
        )
        messages = received.get("Messages", [])
        if not messages:
            return False
        outcome = self._invoke(source.function, {"Records": [_record(each, source) for each in messages]})
        failed = (
            failed_items(outcome.payload) if isinstance(outcome, Answer) else {each["MessageId"] for each in messages}
        )
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=source.queue, ReceiptHandle=message["ReceiptHandle"])
        return True

    def _invoke(self, function: str, event: Json) -> Answer | Failure:
        try:
            return self._invoker.invoke(function, event)
        except OSError as error:  # the invoker has ended meanwhile
            return Failure(str(error))


def _record(message: "MessageTypeDef", source: QueueSource) -> Json:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {str(name): value for name, value in message.get("Attributes", {}).items()},
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{source.queue.rpartition('/')[2]}",
        "awsRegion": "us-east-1",
    }
