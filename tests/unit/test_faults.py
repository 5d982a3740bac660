"""Tests of the meaning of each botocore error for the call that met it."""

from collections.abc import Sequence

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from personas.store.faults import Meaning, meaning

URL = "https://dynamodb.test"


def answered(code: str, status: int = 400, reasons: Sequence[str] = (), message: str = "made up") -> ClientError:
    """Return an error with which DynamoDB answers."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "1",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
            "CancellationReasons": [{"Code": reason} for reason in reasons],
        },
        "PutItem",
    )


def test_a_condition_that_did_not_hold() -> None:
    assert meaning(answered("ConditionalCheckFailedException")) is Meaning.CONDITION


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", "Signature expired: 20261127T100000Z is now earlier than 20261127T105500Z"),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20261127T120000Z is still later than 20261127T110500Z",
        ),
        ("SignatureDoesNotMatch", "Signature expired: 20261127T100000Z is now earlier than 20261127T104500Z"),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    ],
)
def test_signed_at_a_wrong_time(code: str, message: str) -> None:
    assert meaning(answered(code, 403, message=message)) is Meaning.MISTIMED


def test_a_wrong_signature_is_a_defect() -> None:
    told = "The request signature we calculated does not match the signature you provided."
    assert meaning(answered("InvalidSignatureException", message=told)) is Meaning.DEFECT


@pytest.mark.parametrize(
    "code",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestThrottled",
        "RequestLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "PriorRequestNotComplete",
        "TransactionConflictException",
        "TransactionInProgressException",
    ],
)
def test_no_room(code: str) -> None:
    assert meaning(answered(code)) is Meaning.THROTTLED


@pytest.mark.parametrize(
    ("code", "status"),
    [("InternalServerError", 500), ("ServiceUnavailable", 503), ("SomethingNew", 502), ("504", 504), ("new", 500)],
)
def test_an_error_of_the_server_leaves_open_what_was_written(code: str, status: int) -> None:
    assert meaning(answered(code, status)) is Meaning.UNKNOWN


@pytest.mark.parametrize(
    "code",
    [
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "RequestTimeout",
        "NoSuchUpload",
    ],
)
def test_one_that_leaves_it_open_by_its_name(code: str) -> None:
    assert meaning(answered(code, 400)) is Meaning.UNKNOWN


@pytest.mark.parametrize(
    "code", ["ValidationException", "AccessDeniedException", "ResourceNotFoundException", "ExpiredTokenException"]
)
def test_a_mistake_of_ours(code: str) -> None:
    assert meaning(answered(code)) is Meaning.DEFECT


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL),
        ProxyConnectionError(proxy_url=URL),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_request_that_never_left(error: BotoCoreError) -> None:
    assert meaning(error) is Meaning.UNREACHED


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        HTTPClientError(error="broken"),
        SSLError(endpoint_url=URL, error=OSError("broken")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_broke_leaves_open_what_was_written(error: BotoCoreError) -> None:
    assert meaning(error) is Meaning.UNKNOWN


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), ParamValidationError(report="wrong")], ids=lambda error: type(error).__name__
)
def test_a_call_that_could_not_be_made(error: BotoCoreError) -> None:
    assert meaning(error) is Meaning.DEFECT


class TestCancelledTransaction:
    """Tests of a cancelled transaction, which gives a reason or "None" for each action."""

    @pytest.mark.parametrize(
        ("reasons", "what"),
        [
            (["None", "ConditionalCheckFailed"], Meaning.CONDITION),
            (["TransactionConflict", "None"], Meaning.THROTTLED),
            (["None", "ThrottlingError"], Meaning.THROTTLED),
            (["ProvisionedThroughputExceeded"], Meaning.THROTTLED),
            (["TransactionConflict", "ConditionalCheckFailed"], Meaning.CONDITION),
            (["ValidationError"], Meaning.DEFECT),
            (["ItemCollectionSizeLimitExceeded"], Meaning.FULL),
            ([], Meaning.DEFECT),
        ],
    )
    def test_means_what_its_reasons_say(self, reasons: list[str], what: Meaning) -> None:
        assert meaning(answered("TransactionCanceledException", reasons=reasons)) is what

    def test_without_reasons_is_a_mistake_of_ours(self) -> None:
        error = answered("TransactionCanceledException")
        error.response.pop("CancellationReasons")
        assert meaning(error) is Meaning.DEFECT


def test_an_item_collection_without_room() -> None:
    assert meaning(answered("ItemCollectionSizeLimitExceededException")) is Meaning.FULL
    cancelled = answered("TransactionCanceledException", reasons=["None", "ItemCollectionSizeLimitExceeded"])
    assert meaning(cancelled) is Meaning.FULL
