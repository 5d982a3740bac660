"""A client of the real handlers: builds API Gateway's events, invokes, and reads the answers."""

import importlib.util
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from personas.contract.registry import ROUTES

FUNCTIONS = Path(__file__).parents[2] / "functions"

type Handler = Callable[[dict[str, Any], object], dict[str, Any]]
_numbers = itertools.count()


@dataclass
class Context:
    """The context object that Lambda passes to a handler, with as much time left as a test wants."""

    function_name: str
    remaining_ms: int = 29_000
    memory_limit_in_mb: int = 1769
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:test"
    aws_request_id: str = field(default_factory=lambda: f"request-{next(_numbers)}")

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass(frozen=True)
class Answer:
    """An answer, its body read as JSON."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        body = json.loads(self.text)
        assert isinstance(body, dict)
        return body


def load_handler(operation: str) -> Handler:
    """Import an operation's handler afresh, as a new execution environment does."""
    path = FUNCTIONS / operation / "handler.py"
    spec = importlib.util.spec_from_file_location(f"handler_{operation}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Handler = module.lambda_handler
    return handler


def event(operation: str, body: object = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return an event of API Gateway's HTTP API, payload version 2.0; a string body is sent as it is.

    A route with parameters in its path has no body: ``body`` holds the values of these and of those of its query.
    """
    described = ROUTES[operation]
    path = described.path
    parameters, query = dict.fromkeys(described.path_parameters, ""), dict[str, str]()
    if parameters:
        given, body = cast("Mapping[str, str]", body), None
        query = {name: value for name, value in given.items() if name not in parameters}
        parameters |= {name: value for name, value in given.items() if name in parameters}
        path = path.format_map(parameters)
    sent = {"content-type": "application/json", **{name.lower(): value for name, value in (headers or {}).items()}}
    return {
        "version": "2.0",
        "routeKey": f"{described.method} {described.path}",
        "rawPath": path,
        "rawQueryString": urlencode(query),
        "headers": sent,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "localhost",
            "domainPrefix": "api",
            "http": {
                "method": described.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "pytest",
            },
            "requestId": f"gateway-{next(_numbers)}",
            "routeKey": f"{described.method} {described.path}",
            "stage": "$default",
            "time": "24/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1795521600000,
        },
        "isBase64Encoded": False,
        **({"pathParameters": parameters} if parameters else {}),
        **({"queryStringParameters": query} if query else {}),
        **({} if body is None else {"body": body if isinstance(body, str) else json.dumps(body)}),
    }


@dataclass
class Client:
    """A client of the operations with one set of credentials. Handlers are loaded once and stay warm."""

    headers: Mapping[str, str] = field(default_factory=dict)
    handlers: dict[str, Handler] = field(default_factory=dict)
    remaining_ms: int = 29_000

    def with_headers(self, **headers: str) -> "Client":
        """Return the same client with more headers; ``_`` in a name stands for a hyphen."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client({**self.headers, **more}, self.handlers, self.remaining_ms)

    def call(self, operation: str, body: object = None, **headers: str) -> Answer:
        """Invoke an operation's handler with that body."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.invoke(operation, event(operation, body, sent))

    def invoke(self, operation: str, raw: dict[str, Any]) -> Answer:
        """Invoke an operation's handler with an event as it is."""
        if operation not in self.handlers:
            self.handlers[operation] = load_handler(operation)
        answer = self.handlers[operation](raw, Context(f"test-{operation}", self.remaining_ms))
        return Answer(answer["statusCode"], answer.get("headers", {}), answer.get("body") or "")
