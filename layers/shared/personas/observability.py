"""Logs and metrics: what is written about a call, and what never is.

A call leaves one log line, which names the operation, the caller's group and profile, the status, the code and the
time; never a credential, a body or a persona's texts. Counts of Lambda and API Gateway are not made
again: the seven metrics here are those that nobody else knows, written as EMF where there is something to tell, each
with the name of the stack as its one dimension.
"""

import logging
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from personas.errors import PersonasError, Unauthenticated, Unreadable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import ItemCollectionMetricsTypeDef

NAMESPACE: Final = "Personas"
CONFLICTS: Final = "Conflicts"
REFRESH_AGE: Final = "RefreshAge"
VIEW_EVICTIONS: Final = "ViewEvictions"
UNREADABLE_ITEMS: Final = "UnreadableItems"
CLOCKS_OFF: Final = "ClocksOff"
UNAUTHENTICATED: Final = "Unauthenticated"
COLLECTION_SIZE: Final = "CollectionSize"

_COLLECTION_TOLD: Final = 4
"""GB of an item collection, of the ten that it may have, from which on its size is told."""

_CONFLICT_CODES: Final = frozenset({"contended", "precondition_failed", "version_conflict"})
"""The codes of errors that tell a caller that somebody else has written first."""

_NAMED_MAX: Final = 1_000

# Lambda's filter of levels reads a time in this form alone, and takes a line without one for INFO.
logger: Final = Logger(use_rfc3339=True, utc=True)
_named: Final[set[str]] = set()
_uncounted: Final = Event()


@contextmanager
def on_a_terminal() -> Iterator[None]:
    """Log to standard error and count nothing: standard output is what a command was asked for."""
    handler, was_uncounted = logger.registered_handler, _uncounted.is_set()
    former = handler.setStream(sys.stderr) if isinstance(handler, logging.StreamHandler) else None
    _uncounted.set()
    try:
        yield
    finally:
        if not was_uncounted:
            _uncounted.clear()
        if isinstance(handler, logging.StreamHandler) and former is not None:
            handler.setStream(former)


def add_log_fields(**fields: object) -> None:
    """Add fields to the log lines of this call, the one with its answer among them."""
    logger.append_keys(**fields)


def peak_memory() -> int:
    """Return the largest memory, in MB, that this environment's process has had; Lambda's own line of it is off."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def record_error(error: PersonasError) -> None:
    """Put the code of an answer other than success into the log line; count it where another writer was first."""
    add_log_fields(code=error.code)
    if isinstance(error, Unreadable):
        count_unreadable(error)
    if isinstance(error, Unauthenticated):
        _put_metric(UNAUTHENTICATED, MetricUnit.Count, 1)
    if error.code in _CONFLICT_CODES:
        _put_metric(CONFLICTS, MetricUnit.Count, 1)


def count_evictions(views: int) -> None:
    """Count views of groups that were dropped for want of memory."""
    if views:
        _put_metric(VIEW_EVICTIONS, MetricUnit.Count, views)


def count_unreadable(error: Unreadable) -> None:
    """Count an item that cannot be read, each time that one is met; an environment logs the key of each once."""
    _put_metric(UNREADABLE_ITEMS, MetricUnit.Count, 1)
    if error.key not in _named:
        if len(_named) >= _NAMED_MAX:
            _named.clear()
        _named.add(error.key)
        logger.error("an item cannot be read", extra={"key": error.key, "reason": error.reason})


def record_refresh_age(oldest: timedelta) -> None:
    """Record the age of the oldest mark of a group that waits for its refresh; zero where none waits."""
    _put_metric(REFRESH_AGE, MetricUnit.Seconds, oldest.total_seconds())


def record_collection_size(estimate: "ItemCollectionMetricsTypeDef | None") -> None:
    """Record the size of an item collection, as a write's answer estimates it, where it is not far from its limit."""
    most = max(estimate.get("SizeEstimateRangeGB", [0.0])) if estimate else 0.0
    if most >= _COLLECTION_TOLD:
        _put_metric(COLLECTION_SIZE, MetricUnit.Gigabytes, most)


def count_clock_off() -> None:
    """Count a call of an environment whose machine's clock is off."""
    _put_metric(CLOCKS_OFF, MetricUnit.Count, 1)


def _put_metric(name: str, unit: MetricUnit, value: float) -> None:
    if _uncounted.is_set():
        return
    # Its dimension is `service`, which the template sets to the name of the stack.
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE):
        pass
