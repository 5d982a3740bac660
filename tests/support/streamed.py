"""The stream of PersonasTable in moto, handed over to a function as Lambda does: filtered, in batches, and again."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from personas.runtime import utc_now
from personas_tools.streams import matches
from personas_tools.template_sources import StreamSource, stream_sources
from support.aws import Aws
from support.client import Context, load_handler
from support.iam import Guard

TEMPLATE: Final = Path(__file__).parents[2] / "template.yaml"

type Record = dict[str, Any]


@cache
def source_of(function: str) -> StreamSource:
    """Return the mapping of template.yaml that leads to a function."""
    (source,) = (each for each in stream_sources(TEMPLATE) if each.function == function)
    return source


class Streamed:
    """The records of the stream, and the function that is handed them."""

    def __init__(
        self, aws: Aws, guard: Guard, folder: str = "record_history", clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._function = f"{folder.title().replace('_', '')}Function"
        self._guard = guard
        self._handler = load_handler(folder)
        self._clock = clock
        self._taken = 0
        self._source = source_of(self._function)
        tables = dynamodb_backends[DEFAULT_ACCOUNT_ID][aws.dynamodb.meta.region_name].tables
        shard = tables[aws.names["PersonasTable"]].stream_shard
        assert shard is not None
        self._shard = shard

    def taken(self) -> list[Record]:
        """Take the records since the last time that the mapping's filter lets through, each of now."""
        items = self._shard.items[self._taken :]
        self._taken += len(items)
        records = [deepcopy(item.record) for item in items]
        for record in records:
            record["dynamodb"]["ApproximateCreationDateTime"] = float(int(self._clock().timestamp()))
        return [record for record in records if matches(self._source.pattern, record)]

    def hand_over(self, records: Sequence[Record]) -> list[str]:
        """Invoke the function with records; return the numbers of those that failed."""
        with self._guard.acting_as(self._function):
            answer = self._handler({"Records": list(records)}, Context(self._function, 60_000))
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def flow(self) -> None:
        """Hand over all that was written since the last time."""
        records = self.taken()
        for first in range(0, len(records), self._source.batch_size):
            assert self.hand_over(records[first : first + self._source.batch_size]) == []
