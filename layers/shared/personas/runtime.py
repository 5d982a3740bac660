"""The state of an execution environment between invocations: AWS clients, threads, and the time that is left.

Lambda runs one invocation at a time in an environment, so one deadline and one pool serve it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, overload

# botocore alone: boto3 would import s3transfer and multiprocessing, a fifth of a cold start, to make the same clients.
from botocore import auth
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session, get_session
from isal import isal_zlib
from pydantic_core import from_json
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from personas.clock import Clock
from personas.connections import Bounded, dial

if TYPE_CHECKING:
    import socket

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from personas.store.event_bus import EventsClient

THREADS: Final = 32
CONNECT_TIMEOUT: Final = timedelta(seconds=1)
READ_TIMEOUT: Final = timedelta(seconds=3)

LATE_COMMIT: Final = timedelta(seconds=5)
"""The time after which a request that its client gave up no longer takes effect in DynamoDB."""
CLOCK_SKEW: Final = timedelta(seconds=3)
"""The most that the clocks of two execution environments may lie apart, and a watermark ahead of its reader's.

Each is within a second and the time of an answer of AWS's clock (`personas.clock`): two are within this of each other
where that answer took up to half a second.
"""

FEED_WINDOW: Final = CONNECT_TIMEOUT + READ_TIMEOUT + LATE_COMMIT + CLOCK_SKEW
"""The longest time from the stamp of a write to the moment from which every reader sees it (12 s).

A reader of the change feed asks this far back before its own last read, by the rule in `personas.store.change_feed`.
"""

GATEWAY_WAITS: Final = timedelta(seconds=29)
"""A second less than API Gateway waits: the end of a request's time, after which a function that writes is cut off."""
START_MOST: Final = timedelta(seconds=15)
"""The longest start of a function that counts as one: Lambda lets the start of an environment take 10 s."""
ANSWER_TIME: Final = timedelta(seconds=1)
"""The time that an invocation keeps back to make its answer: no call is waited for any longer."""
FINISHING_TIME: Final = timedelta(seconds=5)
"""An invocation starts no new item with less than this left (24 s of 29)."""
LAST_CALL: Final = CONNECT_TIMEOUT + READ_TIMEOUT
"""With less than this left for calls, a failed one is not tried again: it could not be answered for certain."""
UNLIMITED: Final = timedelta(seconds=20)
"""The time for which a call is tried where no invocation sets a limit (the command line)."""


@cache
def clock() -> Clock:
    """Return the clock of this execution environment."""
    return Clock()


def utc_now() -> datetime:
    """Return the time, in UTC: AWS's, once the environment has had an answer of AWS."""
    return clock().now()


class Deadline:
    """The time that the current invocation has left. Outside an invocation there is no limit."""

    def __init__(self) -> None:
        self._ends: float | None = None
        self._calls_end: float | None = None

    def start(self, remaining: timedelta | None) -> None:
        """Begin an invocation with ``remaining`` time, or none: no limit."""
        self._ends = None if remaining is None else time.monotonic() + remaining.total_seconds()
        self._calls_end = None if self._ends is None else self._ends - ANSWER_TIME.total_seconds()

    def left(self) -> timedelta | None:
        """Return the time until the invocation is cut off, or None where nothing cuts it off."""
        return None if self._ends is None else timedelta(seconds=self._ends - time.monotonic())

    def left_for_calls(self) -> timedelta | None:
        """Return the time until no call is waited for any longer, or None where that never comes."""
        return None if self._calls_end is None else timedelta(seconds=self._calls_end - time.monotonic())

    def has_time_for_another_item(self) -> bool:
        """Tell whether the invocation may begin another item."""
        return self.has_time_for(FINISHING_TIME)

    def has_time_for(self, work: timedelta) -> bool:
        """Tell whether more time is left than a piece of work takes."""
        left = self.left()
        return left is None or left > work

    def bounded_timeout(self, seconds: float | None) -> float | None:
        """Return the seconds that a call may wait which would wait ``seconds``, or for ever.

        Raises:
            TimeoutError: not at all.
        """
        left = self.left_for_calls()
        if left is None:
            return seconds
        if left <= timedelta():
            raise TimeoutError("the time of this invocation is over")
        return left.total_seconds() if seconds is None else min(seconds, left.total_seconds())

    @contextmanager
    def within(self, most: timedelta) -> Iterator[None]:
        """Let calls wait until ``most`` from now and no longer. Nothing else may run beside it."""
        before, end = self._calls_end, time.monotonic() + most.total_seconds()
        self._calls_end = end if before is None else min(before, end)
        try:
            yield
        finally:
            self._calls_end = before

    @contextmanager
    def reserving(self, time_for_more: timedelta) -> Iterator[None]:
        """Let calls end earlier by so much: what comes after them needs the time."""
        left = self.left_for_calls()
        with nullcontext() if left is None else self.within(left - time_for_more):
            yield


def nothing() -> None:
    """Stand for a call that is not needed: `Parallel.gather` runs it on no thread."""


def time_of_request(remaining: timedelta, begun: object, now: datetime) -> timedelta:
    """Return the time that a request has left of what the function has, and of what API Gateway waits.

    ``begun`` is API Gateway's own start of the request, in milliseconds since 1970: the start of an environment comes
    out of its time, too. One that lies ahead, for a clock is off, or further back than a start takes, for an event is
    replayed or a clock is off, says nothing.
    """
    passed = now - datetime.fromtimestamp(begun / 1000, UTC) if isinstance(begun, int) else timedelta()
    return min(remaining, GATEWAY_WAITS - passed if timedelta() < passed <= START_MOST else GATEWAY_WAITS)


class Parallel:
    """The threads that run calls side by side. All end before it returns, so that none outlives the answer."""

    def __init__(self, threads: int = THREADS) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def run[T](self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Return the results of ``calls``, in their order. The first error is raised once all have ended.

        Calls must not run others in parallel themselves: the pool is bounded and they would wait for each other.
        """
        if len(calls) <= 1:
            return [call() for call in calls]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="personas")
        futures: list[Future[T]] = [self._pool.submit(call) for call in calls]
        wait(futures)
        return [future.result() for future in futures]

    @overload
    def gather[A, B](self, _1: Callable[[], A], _2: Callable[[], B], /) -> tuple[A, B]: ...
    @overload
    def gather[A, B, C](self, _1: Callable[[], A], _2: Callable[[], B], _3: Callable[[], C], /) -> tuple[A, B, C]: ...
    @overload
    def gather[A, B, C, D](
        self, _1: Callable[[], A], _2: Callable[[], B], _3: Callable[[], C], _4: Callable[[], D], /
    ) -> tuple[A, B, C, D]: ...
    def gather(self, *calls: Callable[[], object]) -> tuple[object, ...]:
        """Return the results of a few calls of different types, run side by side (see ``run``); None for `nothing`."""
        results = iter(self.run([call for call in calls if call is not nothing]))
        return tuple([None if call is nothing else next(results) for call in calls])


@cache
def deadline() -> Deadline:
    """Return the deadline of this execution environment's current invocation."""
    return Deadline()


@cache
def parallel() -> Parallel:
    """Return the threads of this execution environment."""
    return Parallel()


@cache
def dynamodb() -> DynamoDBClient:
    """Return a client for the tables. Like all of these it makes one attempt: `store.attempts` makes the next."""
    return cast("DynamoDBClient", _client("dynamodb"))


# Unless told otherwise botocore signs addresses by version 2 in us-east-1, which S3 takes for old buckets only, and
# everywhere for the host without a region, which redirects for a day after the bucket is made, so that the signature
# fails, and never serves newer regions. An emulator is named by its IP address, which botocore asks by path.
_S3: Final = Config(
    signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
)


@cache
def s3() -> S3Client:
    """Return a client for the bucket."""
    return cast("S3Client", _client("s3", _S3))


@cache
def sqs() -> SQSClient:
    """Return a client for the refresh queue."""
    return cast("SQSClient", _client("sqs"))


@cache
def events() -> EventsClient:
    """Return a client for the event bus."""
    return cast("EventsClient", _client("events"))


class _Connection(Bounded, HTTPConnection):
    """The base of botocore's connections, which keep to this environment's deadline."""

    deadline = staticmethod(deadline)

    def _new_conn(self) -> socket.socket:
        try:
            return dial(self.host, self.port, self.timeout or CONNECT_TIMEOUT.total_seconds())
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error


class _Http(_Connection, AWSHTTPConnection):  # type: ignore[misc]  # botocore's AWSConnection overrides send and request with signatures of its own
    """A connection to an emulator."""


class _Https(_Connection, AWSHTTPSConnection):  # type: ignore[misc]  # botocore's AWSConnection overrides send and request with signatures of its own
    """A connection to AWS."""


class _HttpPool(AWSHTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _Https


class _Files(JSONFileLoader):
    """botocore's files, two megabytes at a start: its own reader takes four times as long to make the same of them."""

    def load_file(self, file_path: str) -> Any:
        """Return the JSON in a file, named without its ending, or None where there is no such file."""
        for ending, unpack in ((".json", bytes), (".json.gz", _gunzip)):
            if (file := Path(file_path + ending)).is_file():
                return from_json(unpack(file.read_bytes()))
        return None


def _gunzip(content: bytes) -> bytes:
    return isal_zlib.decompress(content, wbits=16 + isal_zlib.MAX_WBITS)


class _Data(Loader):
    """botocore's descriptions of services, without a look through the folders of four hundred for each client.

    An item that DynamoDB answers with is declared a document, which botocore passes on as the JSON that it is: to look
    for ten types in every value of it took more of a warm call than anything else. `store.attributes` reads that JSON.
    """

    FILE_LOADER_CLASS = _Files

    def list_available_services(self, type_name: str) -> list[str]:
        """Return the services that this one uses of AWS."""
        return ["dynamodb", "events", "s3", "sqs"]

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> dict[str, Any]:
        """Return one of the descriptions of a service."""
        model: dict[str, Any] = super().load_service_model(service_name, type_name, api_version)
        if service_name == "dynamodb" and type_name == "service-2":
            model["shapes"]["AttributeMap"] = {"type": "structure", "members": {}, "document": True}
        return model


@cache
def _session() -> Session:
    session = get_session()
    session.register_component("data_loader", _Data())
    clock().listen(session.register)
    # botocore signs by the machine's clock and has no setting for another; AWS refuses what is signed five minutes off.
    vars(auth)["get_current_datetime"] = lambda: utc_now().replace(tzinfo=None)
    return session


def _client(service: str, special: Config | None = None) -> object:
    config = Config(
        connect_timeout=CONNECT_TIMEOUT.total_seconds(),
        read_timeout=READ_TIMEOUT.total_seconds(),
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=THREADS,
        parameter_validation=False,
    )
    client = _session().create_client(service, config=config.merge(special) if special else config)
    pools = client._endpoint.http_session._manager.pool_classes_by_scheme  # type: ignore[attr-defined]  # botocore has no option for the class of its connections: docs/adr/0035
    pools.update(http=_HttpPool, https=_HttpsPool)
    return client
