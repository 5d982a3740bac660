"""The queue of groups whose views are to be refreshed. A message may come twice: refreshing is idempotent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Final

from personas.errors import Unavailable
from personas.runtime import deadline
from personas.store.attempts import attempted

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

BATCH_MAX: Final = 10
ATTEMPTS: Final = 3
"""The most attempts at a batch: the next schedule, or the next to find the view behind, queues the group as well."""

_BUSY: Final = "The refresh queue is busy or out of reach. Try again shortly."


class RefreshQueue:
    """The queue of groups to refresh, filled by the schedule and by a search that finds a view far behind."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, group_ids: Iterable[str]) -> int:
        """Leave a message for each group; how many.

        Raises:
            Unavailable: the queue took fewer than all.
        """
        sent = 0
        for batch in batched(group_ids, BATCH_MAX, strict=False):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(position), "MessageBody": json.dumps({"group_id": group_id})}
                for position, group_id in enumerate(batch)
            ]
            send = partial(self._client.send_message_batch, QueueUrl=self._url, Entries=entries)
            answer = attempted(deadline(), send, most=ATTEMPTS, busy=_BUSY)
            if answer.get("Failed"):
                raise Unavailable("The refresh queue did not take every group. Try again shortly.")
            sent += len(batch)
        return sent
