"""Handlers of batches: the messages of a queue, or the records of a table's stream.

Each record is handled on its own. Lambda is told those at which its handling raised, and sends them again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from personas.api import background_function
from personas.observability import logger
from personas.runtime import parallel
from personas.services import services

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch import BatchProcessor
    from aws_lambda_powertools.utilities.batch.base import FailureResponse, SuccessResponse
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from personas.api import Handler


def queue_function(name: str) -> Callable[[Callable[[dict[str, str]], None]], Handler]:
    """Decorate a function of one message of a queue, a JSON object; messages at which it raises stay on the queue."""

    def decorate(handle_message: Callable[[dict[str, str]], None]) -> Handler:
        def handle_record(record: SQSRecord) -> None:
            handle_message(record.json_body)

        return _batch_function(name, _of_queue, handle_record)

    return decorate


def stream_function(name: str) -> Callable[[Callable[[dict[str, object]], None]], Handler]:
    """Decorate a function of one record of a table's stream, which may be called for several items at a time.

    Raises:
        SettingsError: the function's environment is not complete; it fails here, before the first record.
    """
    services()

    def decorate(handle_change: Callable[[dict[str, object]], None]) -> Handler:
        def handle_record(record: DynamoDBRecord) -> None:
            handle_change(record.raw_event)

        return _batch_function(name, _of_stream, handle_record)

    return decorate


def _batch_function(
    name: str, processor: Callable[[], BatchProcessor], handle_record: Callable[[Any], None]
) -> Handler:
    @background_function(name)
    def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
        # A quarter of a second, which `refresh` takes for its queue alone.
        from aws_lambda_powertools.utilities.batch import process_partial_response

        return dict(process_partial_response(event, handle_record, processor(), context))

    return handler


def _of_queue() -> BatchProcessor:
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

    class OneByOne(BatchProcessor):
        """The messages of a batch, one after the other: the group that one names is in the log for that one alone."""

        def _process_record(self, record: dict[str, Any]) -> SuccessResponse | FailureResponse:
            with logger.append_context_keys(group=None):
                return super()._process_record(record)

    # An invocation that fails, because no record succeeds, would tell no more than its answer does.
    return OneByOne(EventType.SQS, raise_on_entire_batch_failure=False, logger=logging.getLogger(logger.name))


def _of_stream() -> BatchProcessor:
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

    class SideBySide(BatchProcessor):
        """The records of a batch: those of an item in their order, those of several items side by side."""

        def process(self) -> list[tuple[Any, ...]]:
            by_item: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for record in self.records:
                by_item[str(record["dynamodb"]["Keys"])].append(record)
            handled = parallel().run([partial(self._in_order, records) for records in by_item.values()])
            return list(chain.from_iterable(handled))

        def _in_order(self, records: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
            return [self._process_record(record) for record in records]

    return SideBySide(
        EventType.DynamoDBStreams, raise_on_entire_batch_failure=False, logger=logging.getLogger(logger.name)
    )
