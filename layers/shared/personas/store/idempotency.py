"""Idempotency-Key: a repeat within a day gets the first answer; Powertools keeps the record.

The record's key is group, profile, operation and header; the body and ``If-Match`` go into payload validation. An
error removes the record, so it is not remembered, unless something may have been saved. A record that a killed function
left behind is free again when that function's time would have been over; the repeat then finds what was saved by its
write ids (``domain.intent``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import STATUS_CONSTANTS
from botocore.exceptions import ClientError

from personas.domain.intent import Intent, Keyed
from personas.errors import Conflict, Invalid, PersonasError, Unavailable
from personas.runtime import retrying_dynamodb

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

REMEMBERED_SECONDS: Final = 24 * 60 * 60
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class _Records(DynamoDBPersistenceLayer):
    """Powertools' records, with two things mended.

    A record whose answer got lost is not taken for someone else's. And one that was left behind by a function that was
    killed, or that cannot tell what it saved, is not forgotten by the repeat that takes it over: another body is
    refused as ever, and the record ends when it was to end. That end tells one use of a key from the next, after the
    first is forgotten.
    """

    ends_at: int = 0
    """When the record of the call under way is forgotten, in unix seconds."""

    def delete_record(self, data: dict[str, Any], exception: Exception) -> None:
        """Forget a call that failed; one that may have saved something is only released, for its repeat to complete."""
        if isinstance(exception, PersonasError) and not exception.may_have_saved:
            super().delete_record(data, exception)
            return
        self.client.update_item(
            TableName=self.table_name,
            Key=self._get_key(self._get_hashed_idempotency_key(data) or ""),
            UpdateExpression="SET #free_from = :now",
            ExpressionAttributeNames={"#free_from": self.in_progress_expiry_attr},
            ExpressionAttributeValues={":now": {"N": "0"}},
        )

    def _put_record(self, data_record: DataRecord) -> None:
        with suppress(IdempotencyItemNotFoundError):
            left_behind = self._get_record(data_record.idempotency_key)
            if left_behind.status == STATUS_CONSTANTS["INPROGRESS"]:
                self._validate_payload(data_payload=data_record, stored_data_record=left_behind)
                data_record.expiry_timestamp = left_behind.expiry_timestamp
        self.ends_at = data_record.expiry_timestamp or 0
        try:
            super()._put_record(data_record)
        except IdempotencyItemAlreadyExistsError as taken:
            found, cause = taken.old_data_record, taken.__cause__
            retried = isinstance(cause, ClientError) and cause.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
            ours = found is not None and (
                found.status == data_record.status
                and found.in_progress_expiry_timestamp == data_record.in_progress_expiry_timestamp
            )
            if not (retried and ours):
                raise


@cache
def _records(table: str) -> _Records:
    return _Records(table_name=table, boto3_client=retrying_dynamodb())


def answer_once(
    *,
    table: str,
    scope: str,
    key: str,
    body: str,
    context: LambdaContext,
    work: Callable[[Intent], dict[str, object]],
) -> dict[str, object]:
    """The answer of ``work``, or the one that it gave before to the same ``key`` in the same ``scope``.

    ``scope`` names group, profile and operation; ``body`` is what was sent, as text.

    Raises:
        Invalid: the key is malformed, or was used with another body.
        Conflict: the first call is still running.
        Unavailable: the record cannot be read or written. What the call saved is found again by a repeat.
    """
    if not _KEY.fullmatch(key):
        raise Invalid(
            "Idempotency-Key must have 1 to 255 visible ASCII characters, such as a UUID.",
            code="idempotency_key_malformed",
        )
    config = IdempotencyConfig(
        event_key_jmespath="key",
        payload_validation_jmespath="body",
        expires_after_seconds=REMEMBERED_SECONDS,
        raise_on_no_idempotency_key=True,
        hash_function="sha256",
        lambda_context=context,
    )

    records = _records(table)

    def run(*, call: Mapping[str, str]) -> dict[str, object]:
        return work(Keyed(scope, f"{key}/{records.ends_at}", call["body"]))

    once: Callable[..., dict[str, object]] = idempotent_function(
        run, data_keyword_argument="call", persistence_store=records, config=config, key_prefix="personas"
    )
    try:
        return once(call={"key": f"{scope}/{key}", "body": body})
    except IdempotencyValidationError as error:
        raise Invalid(
            "This Idempotency-Key was used with another body. Take a new key.", code="idempotency_key_reused"
        ) from error
    except IdempotencyAlreadyInProgressError as error:
        raise Conflict(
            "The first call with this Idempotency-Key is still running. Repeat it shortly.",
            code="idempotency_in_progress",
            retry_after=1,
        ) from error
    except (IdempotencyPersistenceLayerError, IdempotencyInconsistentStateError) as error:
        raise Unavailable(
            "The record of this Idempotency-Key cannot be kept now. Repeating the call with the same key is safe.",
            code="idempotency_unavailable",
        ) from error
