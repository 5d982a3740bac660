"""The place where botocore hands over a request to AWS: moto answers it, or it is sent.

botocore asks the handlers of two of its events to answer in the place of AWS: ``before-send``, with an HTTP response,
and ``before-call``, with what would be read from one. Each session that is made after this module is imported has
``answer`` at the first, instead of moto's own handler, and ``answer_directly`` at the second, for calls of DynamoDB
that are not to go ``over_http``.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import formatdate
from functools import cache, partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import botocore
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from support.fast_moto import answer_of_s3, operate

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

type Deliver = Callable[[], AWSResponse]
"""The way of a request to AWS and back."""
type Between = Callable[[str, AWSPreparedRequest, Deliver], AWSResponse]
"""Somebody on that way: it is told of the event and the request, and delivers it, or not."""

_ALONE: Final = RLock()
"""Held by each request: moto's tables are plain dicts, called by the functions from many threads."""
over_http = False
"""True while calls of DynamoDB are to be sent as requests, so that a test can count them or date their answers."""
between: Between | None = None
"""The one that stands between botocore and AWS, if anybody does."""


def answer(event_name: str, request: "AWSPreparedRequest", **_: object) -> AWSResponse | None:
    """Answer a request while moto stands for AWS, or anybody between; otherwise return None, and botocore sends it."""
    if between is not None:
        return between(event_name, request, partial(_delivered, event_name, request))
    return _answer_of_moto(event_name, request)


def answer_directly(event_name: str, params: Mapping[str, Any], **_: object) -> tuple[AWSResponse, Any] | None:
    """Answer a call of DynamoDB before it is signed and sent.

    Return None where they are to go ``over_http``, or past the one that stands between.
    """
    if over_http or between is not None or not (botocore_stubber.enabled and _of_aws(params["url"])):
        return None
    with _ALONE:
        status, said = operate(event_name, params["body"])
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}
    response = AWSResponse(params["url"], status, HTTPHeaders(), MockRawResponse(b""))
    if status == 200:
        return response, {**said, "ResponseMetadata": metadata}
    error = {"Code": said["__type"].rpartition("#")[2], "Message": said.get("message", said.get("Message", ""))}
    return response, {**said, "Error": error, "ResponseMetadata": metadata}


@botocore.register_initializer
def _listen(session: Any) -> None:
    session.unregister("before-send", botocore_stubber)
    session.register("before-send", answer)
    session.register("before-call.dynamodb", answer_directly)


def _delivered(event_name: str, request: "AWSPreparedRequest") -> AWSResponse:
    return _answer_of_moto(event_name, request) or _connections().send(request)


def _answer_of_moto(event_name: str, request: "AWSPreparedRequest") -> AWSResponse | None:
    if not botocore_stubber.enabled:
        return None
    with _ALONE:
        if not _of_aws(request.url):
            return botocore_stubber(event_name, request)
        if event_name.startswith("before-send.s3.") and not request.url.startswith("https://s3."):
            return answer_of_s3(request)
        if not event_name.startswith("before-send.dynamodb."):
            return botocore_stubber(event_name, request)
        status, said = operate(event_name, request.body)
    headers = HTTPHeaders.from_dict({"date": formatdate(usegmt=True)})
    return AWSResponse(request.url, status, headers, MockRawResponse(json.dumps(said, default=_in_json)))


@cache
def _connections() -> URLLib3Session:
    return URLLib3Session()


def _of_aws(address: str) -> bool:
    """Tell an address of AWS from one of an emulator."""
    return ".amazonaws.com" in address


def _in_json(value: bytes | datetime) -> str | float:
    """Return what DynamoDB writes in JSON for a value that has no form there."""
    return value.timestamp() if isinstance(value, datetime) else b64encode(value).decode()
