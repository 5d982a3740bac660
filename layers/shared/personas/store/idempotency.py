"""Idempotency-Key: a repeat within a day gets the first answer; Powertools keeps the record.

The record's key is group, profile, operation and header; the body and ``If-Match`` go into payload validation. An
error removes the record, so it is not remembered, unless something may have been saved, by this attempt or by one whose
record it took over. A record that a killed function left behind is free again when that function's time would have been
over; the repeat then finds what was saved by its write ids (``Keyed``).

The times in the records are AWS's, as all times of the service (``personas.clock``). Powertools knows only the
machine's: ``_Records`` converts in both directions.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn
from uuid import uuid4, uuid5

from aws_lambda_powertools.utilities.idempotency import (
    BasePersistenceLayer,
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
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import STATUS_CONSTANTS, DataRecord

from personas.domain.text import NAMESPACE
from personas.errors import Conflict, Invalid, PersonasError, Unavailable
from personas.observability import logger
from personas.runtime import clock, deadline, dynamodb
from personas.store.attempts import ConditionFailed, attempted
from personas.store.attributes import Item, Value, decode_item, encode_item, integer, text
from personas.store.write_rule import Intent

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient

REMEMBERED_SECONDS: Final = 24 * 60 * 60
RECORD_TIME: Final = timedelta(seconds=1)
"""The time that a call under a key keeps back to finish its record."""
PLAIN_MAX: Final = 1_000
"""The longest answer, in characters, that is not compressed."""
ANSWER_MAX: Final = 400_000
"""The most bytes of an answer in a record: DynamoDB's items hold 409,600, names and other attributes included."""
_SECONDS: Final = timedelta(seconds=1)
_MILLISECONDS: Final = timedelta(milliseconds=1)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class Keyed:
    """The intent behind one use of an Idempotency-Key.

    Its ids follow from the key, so that a repeat after a crash finds what the first attempt did and completes the rest.
    A write's id also depends on the body: another body under the same key cannot pass for a repeat.

    ``scope`` is group, profile and operation; ``key`` the header and the mark that distinguishes this use of it from
    an earlier one that is forgotten by now; ``body`` the body that was sent; ``may_be_done`` says that the call takes
    over the record of an earlier one.
    """

    def __init__(self, scope: str, key: str, body: str, *, may_be_done: bool = False) -> None:
        self.may_be_done = may_be_done
        self._seed = uuid5(NAMESPACE, f"idempotency/{scope}/{key}")
        self._write = hashlib.sha256(f"{self._seed}/{body}".encode()).hexdigest()[:16]

    def new_id(self, item: int = 0) -> str:
        """Return the id that follows from the key and the position."""
        return str(uuid5(self._seed, str(item)))

    def write_id(self, item: int = 0) -> str:
        """Return the id that follows from the key, the body and the position."""
        return f"{self._write}.{item}"


class _Records(BasePersistenceLayer):
    """The records, as one call finds and leaves them.

    Each attempt at a call leaves a mark of its own in the record that it puts, and every later change is made under the
    condition that the mark still stands there. So a request that takes effect late, after its answer was lost and
    another attempt came by, changes nothing any more; and a put that finds its own mark had taken effect before.

    A record that was left behind by a function that was killed, or that cannot tell what it saved, is not forgotten by
    the attempt that takes it over: another body is refused as ever, and the record ends when it was to end. That end
    tells one use of a key from the next, after the first is forgotten.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools gives this constructor no annotations
        self._client = client
        self._table = table
        self._attempt_id = uuid4().hex
        self.ends_at = 0
        """The end of the record of the call, in unix seconds, by AWS's time."""
        self.took_over = False
        """True where the record is that of an earlier attempt, which may have saved something."""

    # ---- What Powertools asks for --------------------------------------------------------------------------------

    def _get_record(self, idempotency_key: str) -> DataRecord:
        found = self._read(idempotency_key)
        if found is None:
            raise IdempotencyItemNotFoundError
        return _record(found)

    def _put_record(self, data_record: DataRecord) -> None:
        """Begin, where there is no record, or one that this call may take over, and it is still as it was read."""
        found = self._read(data_record.idempotency_key)
        as_read: Any = {"ConditionExpression": "attribute_not_exists(attempt)"}
        self.ends_at = _by_aws(data_record.expiry_timestamp or 0, _SECONDS)
        if found is not None:
            record = _record(found)
            if record.status == STATUS_CONSTANTS["COMPLETED"] or _is_running(record):
                self._refuse(data_record, record)
            if record.status == STATUS_CONSTANTS["INPROGRESS"]:
                self._validate_payload(data_record, record)
                self.ends_at = integer(found, "expiration")
                self.took_over = True
            as_read = _unchanged(found)
        item: Item = {
            "id": data_record.idempotency_key,
            "attempt": self._attempt_id,
            "status": data_record.status,
            "expiration": self.ends_at,
            "in_progress_expiration": _by_aws(data_record.in_progress_expiry_timestamp or 0, _MILLISECONDS),
            "validation": data_record.payload_hash,
        }
        lost = self._change(
            lambda: self._client.put_item(
                TableName=self._table,
                Item=encode_item(item),
                **as_read,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )
        if lost is not None and lost.get("attempt") != self._attempt_id:
            self._refuse(data_record, _record(lost))

    def _update_record(self, data_record: DataRecord) -> None:
        """Keep the answer, where it is not longer than a record may be; else let a repeat take the record over."""
        plain = data_record.response_data
        answer = zlib.compress(plain.encode()) if len(plain) > PLAIN_MAX else plain
        if len(answer) > ANSWER_MAX:
            logger.warning("an answer is too long to be remembered", extra={"bytes": len(answer)})
            self._release(data_record.idempotency_key)
            return
        self._set(data_record.idempotency_key, {"status": data_record.status, "data": answer})

    def _delete_record(self, data_record: DataRecord) -> None:
        self._change(
            lambda: self._client.delete_item(
                TableName=self._table, Key=encode_item({"id": data_record.idempotency_key}), **self._own({})
            )
        )

    def delete_record(self, data: dict[str, Any], exception: Exception) -> None:
        """Forget a call that failed; one that may have saved something is only released, for its repeat to complete."""
        saved_nothing = isinstance(exception, PersonasError) and not exception.may_have_saved
        if saved_nothing and not self.took_over:
            super().delete_record(data, exception)
        else:
            self._release(self._get_hashed_idempotency_key(data) or "")

    def _refuse(self, wanted: DataRecord, found: DataRecord) -> NoReturn:
        """Leave it to Powertools to answer by the record that was found.

        Raises:
            IdempotencyValidationError: it is of another body.
            IdempotencyItemAlreadyExistsError: otherwise.
        """
        self._validate_payload(wanted, found)
        raise IdempotencyItemAlreadyExistsError(old_data_record=found)

    # ---- Calls to the table --------------------------------------------------------------------------------------

    def _read(self, key: str) -> Item | None:
        answer = attempted(
            deadline(),
            lambda: self._client.get_item(TableName=self._table, Key=encode_item({"id": key}), ConsistentRead=True),
        )
        return decode_item(answer["Item"]) if "Item" in answer else None

    @staticmethod
    def _change(call: Callable[[], object]) -> Item | None:
        """Make a conditional write; return what stands there if the condition did not hold, as far as it is shown."""
        try:
            attempted(deadline(), call, writes=True)
        except ConditionFailed as lost:
            return lost.item or {}
        return None

    def _release(self, key: str) -> None:
        self._set(key, {"in_progress_expiration": 0})

    def _set(self, key: str, values: Mapping[str, Value]) -> None:
        names = {f"#{name}": name for name in values}
        self._change(
            lambda: self._client.update_item(
                TableName=self._table,
                Key=encode_item({"id": key}),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ExpressionAttributeNames=names,
                **self._own(values),
            )
        )

    def _own(self, values: Mapping[str, Value]) -> Any:
        """Return the condition that the record is this attempt's, and the values of an expression beside it."""
        return {
            "ConditionExpression": "attempt = :attempt_id",
            "ExpressionAttributeValues": encode_item(
                {":attempt_id": self._attempt_id, **{f":{name}": value for name, value in values.items()}}
            ),
        }


def _by_aws(time: int, unit: timedelta) -> int:
    """Convert a time by the machine's clock, counted in ``unit``, to AWS's."""
    return time + round(clock().correction / unit)


def _by_machine(time: int, unit: timedelta) -> int:
    """Convert a time of AWS's, counted in ``unit``, to the machine's clock."""
    return time - round(clock().correction / unit)


def _record(item: Item) -> DataRecord:
    """Return an item as Powertools reads it, which compares its times with the machine's."""
    answer = item.get("data", "")
    return DataRecord(
        idempotency_key=text(item, "id"),
        status=text(item, "status"),
        expiry_timestamp=_by_machine(integer(item, "expiration"), _SECONDS),
        in_progress_expiry_timestamp=_by_machine(integer(item, "in_progress_expiration"), _MILLISECONDS),
        response_data=zlib.decompress(answer).decode() if isinstance(answer, bytes) else str(answer),
        payload_hash=text(item, "validation"),
    )


def _unchanged(item: Item) -> Any:
    """Return the condition that a record is the one that was read, or gone."""
    state = {f":{name}": item.get(name) for name in ("attempt", "status", "in_progress_expiration")}
    same = "attempt = :attempt AND #status = :status AND in_progress_expiration = :in_progress_expiration"
    return {
        "ConditionExpression": f"attribute_not_exists(attempt) OR ({same})",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": encode_item(state),
    }


def _is_running(record: DataRecord) -> bool:
    """Tell whether the call that began the record may still be at it: it is neither over nor was its time."""
    until = record.in_progress_expiry_timestamp or 0
    return record.status == STATUS_CONSTANTS["INPROGRESS"] and until >= int(clock().machine().timestamp() * 1000)


def answer_once(
    *,
    table: str,
    scope: str,
    key: str,
    body: str,
    context: LambdaContext,
    work: Callable[[Intent], dict[str, object]],
) -> dict[str, object]:
    """Return the answer of ``work``, or the one that it gave before to the same ``key`` in the same ``scope``.

    ``scope`` names group, profile and operation; ``body`` is what was sent, as text.

    Raises:
        Invalid: the key is malformed, or was used with another body.
        Conflict: the first call is still running.
        Unavailable: the record cannot be read or written. A repeat finds what the call saved.
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

    records = _Records(dynamodb(), table)

    def run(*, call: Mapping[str, str]) -> dict[str, object]:
        with deadline().reserving(RECORD_TIME):
            use = f"{key}/{records.ends_at}"
            return work(Keyed(scope, use, call["body"], may_be_done=records.took_over))

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
