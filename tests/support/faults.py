"""Faults between this service and DynamoDB, S3 and SQS, on demand.

``Faults`` stands where botocore sends one HTTP request and takes its response (``support.network``): below botocore's
own retries, above moto's or the emulator's answer. So a request can take effect while its answer is lost, which no stub
of a client can show. A test names the requests and the outcomes of the next ones among them:

    faults.plan(to("PutItem", "persona#"), lost_after(closed()))

``Waiting`` lets time pass without waiting for it. ``Stingy`` is a client that does less at once than it was asked for.
"""

import json
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NoReturn, Unpack, cast
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as NotConnected
from urllib3.exceptions import ReadTimeoutError as BodyReadTimeoutError

from support import network

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        KeysAndAttributesTypeDef,
        QueryInputTypeDef,
        QueryOutputTypeDef,
        WriteRequestUnionTypeDef,
    )
    from urllib3.connectionpool import ConnectionPool

    from support.network import Deliver

_WRITES: Final = ("Put", "Update", "Delete", "BatchWrite", "Transact", "Upload", "Create", "Complete", "Abort", "Send")
_ADDRESS: Final = "https://dynamodb.test"

type Error = HTTPClientError | NotConnected
type Outcome = Callable[[Sending], AWSResponse]
"""The outcome of one request: it sends the request, or not, and responds as the network would, or raises its error."""


@dataclass
class Sending:
    """A request that is about to be sent; calling it sends it."""

    service: str
    operation: str
    request: "AWSPreparedRequest"
    deliver: "Deliver"

    def __call__(self) -> AWSResponse:
        """Send it."""
        return self.deliver()

    @property
    def body(self) -> Any:
        """The JSON in it."""
        return json.loads(cast("bytes", self.request.body))


@dataclass(frozen=True)
class Sent:
    """A request that was handed over.

    ``keys`` are the sort keys in it, or the ids of idempotency records, or the object of S3 that it is about.
    """

    operation: str
    body: Mapping[str, object]
    service: str = "dynamodb"
    path: str = ""
    query: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.path,) if self.service == "s3" else tuple(_keys_in(self.body))

    @property
    def table(self) -> str:
        return str(self.body.get("TableName", ""))


type Match = Callable[[Sent], bool]


def to(operation: str, key: str = "") -> Match:
    """Match requests of that DynamoDB operation in which some key begins with that text."""
    return lambda sent: sent.operation == operation and any(each.startswith(key) for each in sent.keys)


def any_write(sent: Sent) -> bool:
    """Match every request that could change an item."""
    return sent.operation in {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}


def is_write(operation: str) -> bool:
    """Return True if an operation of AWS leaves something behind."""
    return operation.startswith(_WRITES)


# ---- What the network does -------------------------------------------------------------------------------------------


def timed_out() -> Error:
    """Return the error of a request that was sent and never answered."""
    return ReadTimeoutError(endpoint_url=_ADDRESS)


def closed() -> Error:
    """Return the error of a connection that broke while the client waited for the answer."""
    return ConnectionClosedError(endpoint_url=_ADDRESS)


def unreachable() -> Error:
    """Return the error of a connection that could not be made."""
    return EndpointConnectionError(endpoint_url=_ADDRESS)


def slow_to_connect() -> Error:
    """Return the error of a connection that could not be made in time."""
    return ConnectTimeoutError(endpoint_url=_ADDRESS)


class Raw(BytesIO):
    """The body of a response as urllib3 gives it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


# ---- What becomes of a request ---------------------------------------------------------------------------------------


def passed(send: Sending) -> AWSResponse:
    """Let the request through."""
    return send()


def lost_after(error: Error) -> Outcome:
    """Let the request take effect, and lose its answer."""

    def outcome(send: Sending) -> NoReturn:
        send()
        raise error

    return outcome


def lost_as_500(send: Sending) -> AWSResponse:
    """Let the request take effect, and answer with an error of the server."""
    send()
    return refused("InternalServerError", 500)(send)


def lost_before(error: Error) -> Outcome:
    """Lose the request before it arrives."""

    def outcome(_: Sending) -> NoReturn:
        raise error

    return outcome


def refused(code: str, status: int = 400, **others: object) -> Outcome:
    """Answer with that error, of which ``others`` are said as well, and do nothing."""

    def outcome(send: Sending) -> AWSResponse:
        message = "made up by a test"
        if send.service == "s3":
            return _made_up(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())
        return _made_up(status, json.dumps({"__type": code, "message": message, **others}).encode())

    return outcome


def _made_up(status: int, body: bytes) -> AWSResponse:
    """Return an answer that nobody gave."""
    return AWSResponse(_ADDRESS, status, HTTPHeaders(), Raw(body))


def cancelled(reason: str) -> Outcome:
    """Cancel a transaction for its first action; none of its actions takes effect."""

    def outcome(send: Sending) -> AWSResponse:
        others = [{"Code": "None"}] * (len(send.body["TransactItems"]) - 1)
        return refused("TransactionCanceledException", CancellationReasons=[{"Code": reason}, *others])(send)

    return outcome


throttled: Final = refused("ThrottlingException")
"""The service has no room."""


def slow(seconds: float, waiting: "Waiting") -> Outcome:
    """Let the request through, and delay its answer by so many seconds."""

    def outcome(send: Sending) -> AWSResponse:
        response = send()
        waiting.passes(seconds)
        return response

    return outcome


def trickling(waits: Callable[[], object]) -> Outcome:
    """Let the request take effect, with an answer that never ends: the caller ``waits`` for as long as it does."""

    def outcome(send: Sending) -> NoReturn:
        send()
        waits()
        raise timed_out()

    return outcome


def trickling_body(waits: Callable[[], object]) -> Outcome:
    """Answer with an object of S3 whose bytes never end: the caller ``waits`` for as long as it does."""

    class Endless(Raw):
        def read(self, _amount: int | None = None, /) -> bytes:
            waits()
            raise BodyReadTimeoutError(cast("ConnectionPool", None), "", "no byte came in time")

    return answering(lambda _: Endless())


def changed(content: Callable[[bytes], bytes], *, whole: bool = True) -> Outcome:
    """Deliver an object of S3 with other contents; if it is not ``whole``, as if its end were still to come."""
    return answering(lambda response: Raw(content(response.content)), whole=whole)


def answering(body: Callable[[AWSResponse], Raw], *, whole: bool = True) -> Outcome:
    """Deliver an object of S3 as what is made of the response; let all else through."""

    def outcome(send: Sending) -> AWSResponse:
        response = send()
        if send.operation != "GetObject" or response.status_code >= HTTPStatus.BAD_REQUEST:
            return response
        instead = body(response)
        length = len(instead.getbuffer() if whole else response.content)
        kept = {name: value for name, value in response.headers.items() if "checksum" not in name.lower()}
        headers = HTTPHeaders.from_dict({**kept, "Content-Length": str(length)})
        return AWSResponse(response.url, response.status_code, headers, instead)

    return outcome


def half_done(send: Sending) -> AWSResponse:
    """Process the first half of a batch, rounded down, and return the rest as unprocessed."""
    body = send.body
    ((table, wanted),) = body["RequestItems"].items()
    entries = wanted["Keys"] if isinstance(wanted, dict) else wanted
    done, left = entries[: len(entries) // 2], entries[len(entries) // 2 :]

    def part(some: Sequence[object]) -> object:
        return {**wanted, "Keys": some} if isinstance(wanted, dict) else some

    if done:
        send.request.body = json.dumps({**body, "RequestItems": {table: part(done)}}).encode()
        said = json.loads(send().content)
    else:
        said = {"Responses": {table: []}}
    unprocessed = "UnprocessedKeys" if isinstance(wanted, dict) else "UnprocessedItems"
    return _made_up(200, json.dumps({**said, unprocessed: {table: part(left)}}).encode())


def half_queued(send: Sending) -> AWSResponse:
    """Queue the first half of a batch of messages, rounded down, and report the rest as failed."""
    body = send.body
    entries = body["Entries"]
    done, left = entries[: len(entries) // 2], entries[len(entries) // 2 :]
    said = {}
    if done:
        send.request.body = json.dumps({**body, "Entries": done}).encode()
        said = json.loads(send().content)
    failed = [{"Id": each["Id"], "SenderFault": False, "Code": "InternalError"} for each in left]
    return _made_up(200, json.dumps({**said, "Failed": failed}).encode())


class Killed(BaseException):
    """The execution environment is gone, in the middle of everything: no code of the function runs on."""


def killed(_: Sending) -> NoReturn:
    """Kill the execution environment before the request is sent."""
    raise Killed


def killed_after(send: Sending) -> NoReturn:
    """Let the request take effect, and kill the execution environment before it receives the answer."""
    send()
    raise Killed


def then(outcome: Outcome, act: Callable[[], object]) -> Outcome:
    """Produce that outcome, then ``act``, somebody else's move, before the caller receives the answer."""

    def both(send: Sending) -> AWSResponse:
        try:
            return outcome(send)
        finally:
            act()

    return both


def preceded(act: Callable[[], object], outcome: Outcome) -> Outcome:
    """Call ``act``, somebody else's move after the caller decided what to send, and then produce that outcome."""

    def both(send: Sending) -> AWSResponse:
        act()
        return outcome(send)

    return both


@dataclass
class _Plan:
    match: Match
    outcomes: list[Outcome]
    always: Outcome | None = None

    def next(self) -> Outcome | None:
        return self.outcomes.pop(0) if self.outcomes else self.always


@dataclass
class Faults:
    """A source of faults in requests to ``services``; without a plan they go through. ``sent`` are all, in order.

    ``held`` are those that have been given up and have yet to arrive.
    """

    services: Container[str] = ("dynamodb",)
    sent: list[Sent] = field(default_factory=list)
    held: list[Sending] = field(default_factory=list)
    _plans: list[_Plan] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _others: threading.local = field(default_factory=threading.local)

    @classmethod
    def installed(cls, patch: pytest.MonkeyPatch, *services: str) -> "Faults":
        """Stand between botocore and AWS until ``patch`` is undone; for DynamoDB where nothing else is named."""
        faults = cls(services or ("dynamodb",))
        patch.setattr(network, "between", faults.meet)
        return faults

    def meet(self, event_name: str, request: "AWSPreparedRequest", deliver: "Deliver") -> AWSResponse:
        """Respond to a request as planned."""
        _, service, operation = event_name.split(".")
        send = Sending(service, operation, request, deliver)
        if service not in self.services or getattr(self._others, "moving", False):
            return send()
        in_json = service != "s3"
        address = urlsplit("" if in_json else request.url)
        sent = Sent(operation, send.body if in_json else {}, service, address.path, address.query)
        with self._lock:
            self.sent.append(sent)
            outcome = next((each for plan in self._plans if plan.match(sent) and (each := plan.next())), passed)
        # Whatever an outcome does besides sending is somebody else's, and no plan applies to it.
        self._others.moving = True
        try:
            return outcome(send)
        finally:
            self._others.moving = False

    def plan(self, match: Match, *outcomes: Outcome) -> None:
        """Plan the outcomes of the next requests that match, one each; later requests go through."""
        self._plans.append(_Plan(match, list(outcomes)))

    def always(self, match: Match, outcome: Outcome) -> None:
        """Give every request that matches this outcome."""
        self._plans.append(_Plan(match, [], outcome))

    def late(self, send: Sending) -> NoReturn:
        """Let the caller give the request up; it takes effect when ``arrive`` is called."""
        self.held.append(send)
        raise timed_out()

    def arrive(self) -> None:
        """Let what was held back take effect, in its order."""
        for sending in self.held:
            with suppress(KeyError):  # moto has no answer to a part of an upload that has ended
                sending()
        self.held.clear()

    def clear(self) -> None:
        """Let everything through again."""
        self._plans.clear()

    def count(self, match: Match) -> int:
        """Count the matching requests that were made, without those of others' moves."""
        return sum(map(match, self.sent))

    @property
    def pending(self) -> int:
        """The number of planned outcomes that have not been met."""
        return sum(len(plan.outcomes) for plan in self._plans)


def _keys_in(body: object) -> Iterator[str]:
    if isinstance(body, Mapping):
        for name, value in body.items():
            if name in {"sk", "id"} and isinstance(value, Mapping) and isinstance(value.get("S"), str):
                yield value["S"]
            else:
                yield from _keys_in(value)
    elif isinstance(body, list):
        for value in body:
            yield from _keys_in(value)


# ---- Time ------------------------------------------------------------------------------------------------------------


class Waiting:
    """Time that passes at once: who sleeps wakes up, and it is later. ``slept`` is how long, all in all, in seconds."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.slept = 0.0
        self._cut_off_at: float | None = None
        real = time.monotonic
        patch.setattr(time, "sleep", self.passes)
        patch.setattr(time, "monotonic", lambda: real() + self.slept)

    def passes(self, seconds: float) -> None:
        """Let time pass, as a slow answer does.

        Raises:
            Killed: a function is running whose time is over.
        """
        self.slept += seconds
        if self._cut_off_at is not None and self.slept > self._cut_off_at:
            raise Killed

    @contextmanager
    def cut_off_after(self, seconds: float) -> Iterator[None]:
        """Let a function have so much time."""
        self._cut_off_at = self.slept + seconds
        try:
            yield
        finally:
            self._cut_off_at = None


# ---- A service that does things bit by bit ---------------------------------------------------------------------------


class Stingy:
    """A DynamoDB client that works off a few items of a batch and a few of a page, as DynamoDB may at any time."""

    def __init__(self, client: "DynamoDBClient", most: int) -> None:
        self._client = client
        self._most = most
        self.calls: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def batch_write_item(
        self, *, RequestItems: Mapping[str, Sequence["WriteRequestUnionTypeDef"]]
    ) -> dict[str, object]:
        ((table, requests),) = RequestItems.items()
        self.calls.append(len(requests))
        answer = self._client.batch_write_item(RequestItems={table: requests[: self._most]})
        left = requests[self._most :]
        return {**answer, "UnprocessedItems": {table: left} if left else {}}

    def batch_get_item(self, *, RequestItems: Mapping[str, "KeysAndAttributesTypeDef"]) -> dict[str, object]:
        ((table, wanted),) = RequestItems.items()
        names = wanted["Keys"]
        self.calls.append(len(names))
        answer = self._client.batch_get_item(RequestItems={table: {**wanted, "Keys": names[: self._most]}})
        left = names[self._most :]
        return {**answer, "UnprocessedKeys": {table: {**wanted, "Keys": left}} if left else {}}

    def query(self, **arguments: Unpack["QueryInputTypeDef"]) -> "QueryOutputTypeDef":
        self.calls.append(self._most)
        arguments["Limit"] = self._most
        return self._client.query(**arguments)
