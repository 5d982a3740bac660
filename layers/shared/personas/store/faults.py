"""The meaning of botocore's errors for a call: this is the only place that reads error codes."""

from enum import Enum, auto
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ProxyConnectionError,
    SSLError,
)

_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "LimitExceededException",
        "TransactionInProgressException",
        "TransactionConflictException",
        "SlowDown",
        "RequestThrottled",
        "PriorRequestNotComplete",
    }
)
_FULL: Final = "ItemCollectionSizeLimitExceeded"
"""The reason of a transaction that finds no room in an item collection, and the beginning of a write's error code."""
_SERVER: Final = frozenset(
    {"InternalServerError", "InternalFailure", "ServiceUnavailable", "InternalError", "RequestTimeout"}
)
_UNSURE: Final = frozenset({"NoSuchUpload"})
"""The error of a repeated completion of an upload after the first one took effect and its answer was lost."""
_LOWEST_SERVER_STATUS: Final = 500
_MISTIMED: Final = ("Signature expired", "Signature not yet current")
"""The beginnings of the message of DynamoDB or SQS about the time of a signature; the code is that of a wrong one."""


class Meaning(Enum):
    """The conclusion from a failed call about the item that it was to write."""

    CONDITION = auto()
    """The condition did not hold; nothing was written."""
    THROTTLED = auto()
    """The service had no room; nothing was written."""
    FULL = auto()
    """The item collection has reached its 10 GB; nothing was written, nor would a repeat be."""
    MISTIMED = auto()
    """The service refused the time of the signature; nothing was written, and `personas.clock` knows better now."""
    UNREACHED = auto()
    """The request never left; nothing was written."""
    UNKNOWN = auto()
    """The request was sent and failed later: it may have been written."""
    DEFECT = auto()
    """The request itself is wrong, or not allowed: a mistake of ours, to be seen and not tried again."""


def meaning(error: ClientError | BotoCoreError) -> Meaning:
    """Sort an error of a call to DynamoDB, S3 or SQS."""
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == "ConditionalCheckFailedException":
            return Meaning.CONDITION
        if code == "TransactionCanceledException":
            return _cancellation(error)
        if code == f"{_FULL}Exception":
            return Meaning.FULL
        if code in _THROTTLED:
            return Meaning.THROTTLED
        if code == "RequestTimeTooSkewed" or error.response["Error"].get("Message", "").startswith(_MISTIMED):
            return Meaning.MISTIMED
        if code in _SERVER or code in _UNSURE or status >= _LOWEST_SERVER_STATUS:
            return Meaning.UNKNOWN
        return Meaning.DEFECT
    if isinstance(error, ConnectTimeoutError | EndpointConnectionError | ProxyConnectionError):
        return Meaning.UNREACHED
    if isinstance(error, HTTPClientError | IncompleteReadError | SSLError):
        return Meaning.UNKNOWN
    return Meaning.DEFECT


def _cancellation(error: ClientError) -> Meaning:
    """Return the meaning of a cancelled transaction, from its reasons, one an action."""
    reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    if "ConditionalCheckFailed" in reasons:
        return Meaning.CONDITION
    if _FULL in reasons:
        return Meaning.FULL
    if reasons & {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
        return Meaning.THROTTLED
    return Meaning.DEFECT
