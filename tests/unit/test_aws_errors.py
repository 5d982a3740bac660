"""Errors of botocore, as the user of a command reads them."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    UnknownSignatureVersionError,
)

from personas_tools.aws_errors import explained


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "raw words of AWS"}}, "DescribeTable")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            NoCredentialsError(),
            "No AWS credentials were found. Sign in, or name a profile that has some: AWS_PROFILE=…",
        ),
        (
            PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "No AWS credentials were found. Sign in, or name a profile that has some: AWS_PROFILE=…",
        ),
        (NoRegionError(), "Say in which region the table t is: AWS_REGION=…"),
        (ProfileNotFound(profile="x"), "AWS_PROFILE names a profile that the AWS configuration does not have."),
        (
            EndpointConnectionError(endpoint_url="https://dynamodb"),
            "AWS cannot be reached for the table t. Check the network and the region.",
        ),
        (
            ReadTimeoutError(endpoint_url="https://dynamodb"),
            "AWS cannot be reached for the table t. Check the network and the region.",
        ),
        (
            refusal("ExpiredTokenException"),
            "AWS does not accept these credentials, or they have expired. Sign in again.",
        ),
        (
            refusal("AccessDeniedException"),
            "These AWS credentials do not allow DescribeTable, which the table t needs. Take a role that has it.",
        ),
        (
            refusal("ResourceNotFoundException"),
            "There is no such thing in this account and region: the table t. Check the name and AWS_REGION.",
        ),
        (
            refusal("ThrottlingException"),
            "AWS refused DescribeTable for the table t (ThrottlingException). Try again.",
        ),
    ],
)
def test_an_error_says_what_to_do(error: BotoCoreError | ClientError, said: str) -> None:
    assert explained(error, "the table t") == said


def test_an_error_that_nobody_foresaw_keeps_its_words() -> None:
    error = UnknownSignatureVersionError(signature_version="v9")
    assert explained(error, "the table t") == f"AWS could not be asked for the table t: {error}"
