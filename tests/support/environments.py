"""Execution environments side by side: each with services, clients, handlers and a clock of its own, warm while kept.

`Steps` stands between an environment and AWS: a test can act before every request, or end the environment there.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from itertools import count
from typing import Any, Final, Protocol
from unittest.mock import patch

from botocore.exceptions import ClientError

from personas.runtime import deadline, dynamodb, s3, sqs, utc_now
from personas.services import Services
from personas.settings import Settings
from personas.store.table import Table
from support.client import Answer, Context, Handler, event, load_handler
from support.faults import Killed, is_write
from support.iam import Guard
from support.in_order import InOrder
from support.world import Calls

_running: Final[list[Services]] = []
"""The services of the environments that run now: the last one's is at work, and has interrupted the one before."""


@cache
def _handler(operation: str) -> Handler:
    """Return a handler that takes its services from the environment that runs."""
    # Imported for the first time below, they would take the services of this handler for everyone's.
    for module in ("personas.api", "personas.batches"):
        import_module(module)
    with patch("personas.services.services", lambda: _running[-1]):
        return load_handler(operation)


@dataclass(frozen=True)
class Request:
    """A request to AWS that is about to be sent, or was answered."""

    operation: str
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The object of S3 that it is about."""
        return str(self.params.get("Key", ""))


def any_request(_request: Request) -> bool:
    """Accept every request."""
    return True


def writes(request: Request) -> bool:
    """Return True for a request that leaves something behind in AWS."""
    return is_write(request.operation)


def of_the_table(request: Request) -> bool:
    """Return True for a request to DynamoDB."""
    return "TableName" in request.params or "RequestItems" in request.params


@dataclass
class Steps:
    """A hook that acts before each request of an environment that ``among`` accepts; these are numbered from 0.

    Requests that the hook itself makes do not count. ``met`` is the number of requests so far.
    """

    act: Callable[[int, Request], None] = lambda _number, _request: None
    among: Callable[[Request], bool] = any_request
    requests: list[Request] = field(default_factory=list)
    met: int = 0
    _acting: bool = False
    _dead: bool = False

    @classmethod
    def ending(cls, number: int, among: Callable[[Request], bool] = any_request) -> "Steps":
        """Return steps that end the environment right before that request."""

        def end(now: int, _request: Request) -> None:
            if now == number:
                raise Killed

        return cls(end, among)

    @classmethod
    def interrupted(
        cls, number: int, by: Callable[[], object], among: Callable[[Request], bool] = any_request
    ) -> "Steps":
        """Return steps in which somebody else acts right before that request."""

        def interrupt(now: int, _request: Request) -> None:
            if now == number:
                by()

        return cls(interrupt, among)

    def sends(self, params: Mapping[str, object], model: Any, **_: object) -> None:
        """Act before a request; botocore calls this."""
        if self._dead:
            raise Killed
        if self._acting:
            return
        request = Request(model.name, params)
        self.requests.append(request)
        if self.among(request):
            number, self.met, self._acting = self.met, self.met + 1, True
            try:
                self.act(number, request)
            except Killed:
                self._dead = True
                raise
            finally:
                self._acting = False


class Callers(Protocol):
    """The callers of an environment: their keys, and the policies that hold its functions."""

    guard: Guard

    def key(self, who: str) -> str:
        """Return the API key of one of them."""
        ...


@dataclass
class Environment(Calls):
    """An execution environment of every function, under the policies of each, by ``clock``."""

    world: Callers
    clock: Callable[[], datetime] = utc_now
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        settings = Settings.read(os.environ)
        table = Table(dynamodb(), settings.personas_table, self.clock, deadline())
        self.services = Services(settings, table, InOrder(), self.clock, deadline())

    def call(self, operation: str, body: object = None, *, who: str = "root", remaining_ms: int = 29_000) -> Answer:
        """Call an operation as one of the world's people."""
        raw = self.invoke(operation, event(operation, body, {"x-api-key": self.world.key(who)}), remaining_ms)
        return Answer(raw["statusCode"], raw.get("headers", {}), raw.get("body") or "")

    def invoke(self, operation: str, raw: dict[str, Any], remaining_ms: int = 300_000) -> dict[str, Any]:
        """Invoke an operation's function with an event as it is."""
        _running.append(self.services)
        try:
            with self.world.guard.acting_as(f"{operation.capitalize()}Function"):
                return _handler(operation)(raw, Context(f"test-{operation}", remaining_ms))
        finally:
            _running.pop()

    @contextmanager
    def stepping(self, steps: Steps) -> Iterator[Steps]:
        """Have ``steps`` stand between this process's clients and AWS."""
        events = [client.meta.events for client in (dynamodb(), s3(), sqs())]
        for each in events:
            each.register("provide-client-params.*", steps.sends, unique_id="steps")
        try:
            yield steps
        finally:
            for each in events:
                each.unregister("provide-client-params.*", unique_id="steps")

    def work(self, operation: str, act: Callable[[Services], object]) -> None:
        """Have a function do part of what it does."""
        with self.world.guard.acting_as(f"{operation.capitalize()}Function"):
            act(self.services)


def shifted(clock: Callable[[], datetime], by: timedelta) -> Callable[[], datetime]:
    """Return a clock that is wrong by so much."""
    return lambda: clock() + by


@contextmanager
def refusing(operation: str, after: int = 0, *, code: str = "ThrottlingException", naming: str = "") -> Iterator[None]:
    """Have DynamoDB refuse such requests, as ``code`` says, after so many of them; those that name something alone."""
    numbers, events, name = count(), dynamodb().meta.events, f"provide-client-params.dynamodb.{operation}"

    def refuse(params: object, **_: object) -> None:
        if naming in str(params) and next(numbers) >= after:
            raise ClientError({"Error": {"Code": code}, "ResponseMetadata": _REFUSED}, operation)

    events.register(name, refuse)
    try:
        yield
    finally:
        events.unregister(name, refuse)


_REFUSED: Final[Any] = {"HTTPStatusCode": 400}
