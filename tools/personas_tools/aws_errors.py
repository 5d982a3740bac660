"""Errors between this machine and AWS, each in a sentence that says what to do."""

from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # botocore's own, of which its kinds of failed connections are
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

_STALE: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired", "UnrecognizedClientException"}
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_ABSENT: Final = frozenset({"ResourceNotFoundException", "ValidationError"})


def explained(error: BotoCoreError | ClientError, wanted: str) -> str:
    """Return the sentence for an error met on the way to ``wanted``, such as "the table personas"."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return "No AWS credentials were found. Sign in, or name a profile that has some: AWS_PROFILE=…"
        case NoRegionError():
            return f"Say in which region {wanted} is: AWS_REGION=…"
        case ProfileNotFound():
            return "AWS_PROFILE names a profile that the AWS configuration does not have."
        case ClientError():
            return _refused(error, wanted)
        case ConnectionError() | HTTPClientError():
            return f"AWS cannot be reached for {wanted}. Check the network and the region."
    return f"AWS could not be asked for {wanted}: {error}"


def _refused(error: ClientError, wanted: str) -> str:
    code, operation = error.response["Error"]["Code"], error.operation_name
    if code in _STALE:
        return "AWS does not accept these credentials, or they have expired. Sign in again."
    if code in _DENIED:
        return f"These AWS credentials do not allow {operation}, which {wanted} needs. Take a role that has it."
    if code in _ABSENT:
        return f"There is no such thing in this account and region: {wanted}. Check the name and AWS_REGION."
    return f"AWS refused {operation} for {wanted} ({code}). Try again."
