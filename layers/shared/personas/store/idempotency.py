"""Idempotency-Key: a repeat within a day gets the first answer; Powertools keeps the record.

The record's key is group, profile, operation and header; the body and ``If-Match`` go into payload validation. An
error removes the record, so it is not remembered. A record that a killed function left behind is free again when that
function's time would have been over; the repeat then finds what was saved by its write ids (``domain.intent``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyItemAlreadyExistsError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)
from botocore.exceptions import ClientError

from personas.domain.intent import Intent, Keyed
from personas.errors import Conflict, Invalid, Unavailable
from personas.runtime import retrying_dynamodb

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

REMEMBERED_SECONDS: Final = 24 * 60 * 60
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class _Records(DynamoDBPersistenceLayer):
    """Powertools' records, with one thing mended: a record whose answer got lost is not taken for someone else's."""

    def _put_record(self, data_record: DataRecord) -> None:
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

    def run(*, call: Mapping[str, str]) -> dict[str, object]:
        return work(Keyed(scope, key, call["body"]))

    once: Callable[..., dict[str, object]] = idempotent_function(
        run, data_keyword_argument="call", persistence_store=_records(table), config=config, key_prefix="personas"
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
