"""The faults of the matrix (``support.matrix``): what goes wrong, and with which requests it can."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

from personas.runtime import deadline
from support.faults import (
    Faults,
    Match,
    Outcome,
    Sent,
    Waiting,
    cancelled,
    changed,
    closed,
    half_done,
    half_queued,
    is_write,
    killed,
    killed_after,
    lost_after,
    lost_as_500,
    lost_before,
    passed,
    preceded,
    refused,
    slow,
    slow_to_connect,
    then,
    timed_out,
    to,
    trickling,
    trickling_body,
    unreachable,
)

READ_TIMEOUT: Final = 3.0
"""The duration of a request that times out, in seconds."""


class Fault(NamedTuple):
    """A fault of a request, and the requests that it can concern.

    One with ``skew`` concerns no request: the clock of the function's machine is wrong by that much. If that is
    further than clocks may lie apart, the environment goes by AWS's time as soon as it learns it.
    """

    name: str
    concerns: Callable[[Sent], bool]
    outcome: Outcome
    once_only: bool = False
    spoils: bool = False
    """True if it damages a view in S3 for good: then a form may lack some of its options."""
    after: bool = False
    """True if the request takes effect although its caller does not learn of it."""
    ends: bool = False
    """True if the environment ends with it: nobody gets an answer."""
    late: bool = False
    """True when the request takes effect when all that follows the call has succeeded."""
    takes_time: bool = False
    """True when it takes longer than a form waits for what it can do without."""
    skew: timedelta | None = None

    @property
    def passes(self) -> bool:
        """Tell whether a call has the time and the means to get over it where it happens once."""
        return not (self.once_only or self.ends or self.spoils)


def faults(waiting: Waiting, network: Faults, limit: float) -> tuple[Fault, ...]:
    """Return all faults of a function that has ``limit`` seconds; time passes by ``waiting``."""

    def waits(seconds: float | None) -> None:
        """Wait as a socket does that would wait so long, or for ever: `tests/integration/test_stalling.py` shows it."""
        with suppress(TimeoutError):
            waiting.passes(deadline().bounded_timeout(seconds) or 0)

    def taking(seconds: float, outcome: Outcome) -> Outcome:
        return then(outcome, partial(waits, seconds))

    def removal_late() -> None:
        """Have the record of the call's key, should the call fail, be removed late."""
        if not network.pending:
            network.plan(to("DeleteItem", "personas#"), network.late)

    near = limit - READ_TIMEOUT
    late = partial(waiting.passes, near)
    end = partial(network.always, _any, killed)
    item_writes = _of("dynamodb", "PutItem", "UpdateItem", "DeleteItem")
    transactions = _of("dynamodb", "TransactWriteItems")
    reads = _of("s3", "GetObject")
    for_ever = partial(waits, None)
    return (
        Fault("throttled", _of("dynamodb"), refused("ThrottlingException")),
        Fault("no throughput", _of("dynamodb"), refused("ProvisionedThroughputExceededException")),
        Fault("throttled", _of("s3"), refused("SlowDown", 503)),
        Fault("throttled", _of("sqs"), refused("ThrottlingException")),
        Fault("answered 500", _any, refused("InternalServerError", 500)),
        Fault("unreachable", _any, lost_before(unreachable())),
        Fault("slow to connect", _any, taking(1, lost_before(slow_to_connect())), takes_time=True),
        Fault("timed out before", _any, taking(READ_TIMEOUT, lost_before(timed_out())), takes_time=True),
        Fault("timed out after", _writes, taking(READ_TIMEOUT, lost_after(timed_out())), after=True),
        Fault("answer trickles", _any, trickling(for_ever), once_only=True, after=True, takes_time=True),
        Fault("body trickles", reads, trickling_body(for_ever), once_only=True, takes_time=True),
        Fault("takes effect late", _writes, network.late, after=True, late=True),
        Fault("fails, removed late", item_writes, preceded(removal_late, refused("ThrottlingException")), late=True),
        Fault("connection reset before", _any, lost_before(closed())),
        Fault("connection reset after", _writes, lost_after(closed()), after=True),
        Fault("answered 500 after", _writes, lost_as_500, after=True),
        Fault("transaction conflict", item_writes, refused("TransactionConflictException")),
        Fault("cancelled: conflict", transactions, cancelled("TransactionConflict")),
        Fault("cancelled: throttled", transactions, cancelled("ThrottlingError")),
        Fault("cancelled: no throughput", transactions, cancelled("ProvisionedThroughputExceeded")),
        Fault("cancelled: condition", transactions, cancelled("ConditionalCheckFailed")),
        Fault("half of a batch", _of("dynamodb", "BatchGetItem", "BatchWriteItem"), half_done),
        Fault("half of a batch", _of("sqs", "SendMessageBatch"), half_queued),
        Fault("slow near the limit", _any, slow(near, waiting), once_only=True, takes_time=True),
        Fault(
            "timed out near the limit", _any, preceded(late, lost_before(timed_out())), once_only=True, takes_time=True
        ),
        Fault("lost near the limit", _writes, preceded(late, lost_after(timed_out())), once_only=True, after=True),
        Fault("hangs to the end", _any, preceded(end, killed), once_only=True, ends=True),
        Fault("hangs to the end after", _writes, preceded(end, killed_after), once_only=True, after=True, ends=True),
        Fault("object lost", reads, refused("NoSuchKey", 404), spoils=True),
        Fault("object lost", _of("s3", "HeadObject"), refused("404", 404), spoils=True),
        Fault("object damaged", reads, changed(_flipped), spoils=True),
        Fault("object cut off", reads, changed(_half), spoils=True),
        Fault("transfer broken off", reads, changed(_half, whole=False)),
        Fault("clock 2 s fast", _none, passed, once_only=True, skew=timedelta(seconds=2)),
        Fault("clock 2 s slow", _none, passed, once_only=True, skew=timedelta(seconds=-2)),
        Fault("clock 1 h fast", _none, passed, once_only=True, skew=timedelta(hours=1)),
        Fault("clock 1 h slow", _none, passed, once_only=True, skew=timedelta(hours=-1)),
    )


def _writes(sent: Sent) -> bool:
    return is_write(sent.operation)


def _any(_: Sent) -> bool:
    return True


def _none(_: Sent) -> bool:
    return False


def _of(service: str, *operations: str) -> Match:
    return lambda sent: sent.service == service and (not operations or sent.operation in operations)


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :] if content else b"?"


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


# ---- Which requests --------------------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """The properties that requests of one kind have in common."""

    service: str
    operation: str = ""
    table: str = ""
    keys: str = ""


def kind_of(sent: Sent) -> Kind:
    """Return the kind of a request: the operation, and the prefix of its keys."""
    if sent.service == "s3":
        view = next((part for part in sent.path.split("/") if part.startswith(("personas_", "exports"))), "")
        return Kind(sent.service, sent.operation, "", view)
    return Kind(sent.service, sent.operation, sent.table, sent.keys[0].partition("#")[0] if sent.keys else "")


def nth(number: int) -> Match:
    """Match the request of that number, from 0."""
    met = iter(range(number + 1))

    def match(_: Sent) -> bool:
        return next(met, None) == number

    return match
