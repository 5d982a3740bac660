"""The local stand-in for an API Gateway HTTP API: an ASGI application in front of the functions.

It turns requests into events of payload format 2.0 and answers of functions into responses, with the limits, the
errors and the CORS behaviour of the real one. One thing differs: pages that this machine serves may always call.
"""

import asyncio
import base64
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol, TypedDict

from personas_tools.cors import cors_headers, preflight_headers, with_loopback
from personas_tools.invocation import Answer, Failure, Json
from personas_tools.payload import MalformedAnswer, Request, Response, match, message, to_event, to_response
from personas_tools.template import Cors, Route

BODY_LIMIT: Final = 10 * 1024 * 1024
HEADER_LIMIT: Final = 10_240
"""Bytes of the request line and all headers together."""
PATIENCE: Final = 30.0
"""Seconds that the gateway waits for a function."""

_log = logging.getLogger(__name__)
_NOT_FORWARDED: Final = frozenset({"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding"})
_BODILESS: Final = frozenset({204, 304})


class Scope(TypedDict):
    """The part of an ASGI HTTP scope that the gateway reads."""

    type: str
    method: str
    path: str
    raw_path: bytes
    query_string: bytes
    http_version: str
    headers: Iterable[tuple[bytes, bytes]]
    client: tuple[str, int] | None


class Received(TypedDict, total=False):
    """An ASGI message from the client."""

    type: str
    body: bytes
    more_body: bool


class Sent(TypedDict, total=False):
    """An ASGI message to the client."""

    type: str
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


type Receive = Callable[[], Awaitable[Received]]
type Send = Callable[[Sent], Awaitable[None]]


class Invoker(Protocol):
    """A runner of functions, as `workers.Workers` is; called from ``parallel`` threads."""

    parallel: int

    def invoke(self, name: str, event: Json) -> Answer | Failure:
        """Run function ``name`` on ``event`` and wait for its end."""
        ...


class ClientGone(Exception):
    """The client hung up before its request was complete."""


class Gateway:
    """The ASGI application.

    ``routes`` lead to functions by their physical names; without ``cors`` there is none. ``pages`` are what the
    server itself answers to GET, by path, where no route claims the path. As many functions run at a time as the
    invoker has room for; further requests wait for their turn, up to ``patience`` seconds.
    """

    def __init__(
        self,
        routes: Mapping[Route, str],
        cors: Cors | None,
        invoker: Invoker,
        *,
        pages: Mapping[str, Response] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        # The most specific route wins: a full path before one with parameters, those before a greedy one.
        self._routes = sorted(
            routes.items(), key=lambda entry: ("+}" in entry[0].path, "{" in entry[0].path, entry[0].method == "ANY")
        )
        self._cors = cors
        self._invoker = invoker
        self._pages = pages or {}
        self._patience = patience
        self._threads = ThreadPoolExecutor(invoker.parallel, thread_name_prefix="invoke")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
        try:
            response = await self._answer(scope, receive, request_id)
        except ClientGone:
            return
        headers = dict(response.headers) | {"apigw-requestid": request_id}
        body = b"" if response.status in _BODILESS else response.body
        if response.status not in _BODILESS:
            headers["content-length"] = str(len(body))
        encoded = [
            (name.encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in [*headers.items(), *(("set-cookie", cookie) for cookie in response.cookies)]
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> Response:
        lines = list(scope["headers"])
        size = len(scope["method"]) + len(scope["raw_path"]) + len(scope["query_string"])
        if size + sum(len(name) + len(value) for name, value in lines) > HEADER_LIMIT:
            return message(431, "Request Header Fields Too Large")
        body = await _read(receive)
        if body is None:
            return message(413, "Request Entity Too Large")
        request = _request(scope, lines, body)
        origin = request.headers.get("origin")
        cors = self._cors and with_loopback(self._cors, origin)
        asks_first = request.method == "OPTIONS" and "access-control-request-method" in request.headers
        if asks_first and origin and cors:
            return Response(204, preflight_headers(cors, origin))
        for route, function in self._routes:
            parameters = match(route, request.method, request.path)
            if parameters is not None:
                event = to_event(request, route, parameters, request_id, datetime.now(UTC))
                return await self._invoke(function, event, cors, origin)
        if request.method == "GET" and request.path in self._pages:
            return self._pages[request.path]
        return message(404, "Not Found")

    async def _invoke(self, function: str, event: Json, cors: Cors | None, origin: str | None) -> Response:
        call = partial(self._invoker.invoke, function, event)
        try:
            async with asyncio.timeout(self._patience):
                outcome = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except TimeoutError:
            return message(503, "Service Unavailable")
        if isinstance(outcome, Failure):
            if outcome.too_large:
                return message(413, "Request Entity Too Large")
            return message(503, "Service Unavailable") if outcome.timed_out else message(500, "Internal Server Error")
        try:
            response = to_response(outcome.payload)
        except MalformedAnswer as error:
            _log.warning("%s gave a malformed answer: %s", function, error)
            return message(500, "Internal Server Error")
        headers = {name: value for name, value in response.headers.items() if name not in _NOT_FORWARDED}
        if cors:  # then the gateway's own headers alone count
            headers = {name: value for name, value in headers.items() if not name.startswith("access-control-")}
            headers |= cors_headers(cors, origin)
        return Response(response.status, headers, response.body, response.cookies)


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body, or None when it is too large. Even then it is read to its end: an answer must arrive."""
    body, size, more = bytearray(), 0, True
    while more:
        part = await receive()
        if part["type"] == "http.disconnect":  # cut off half way: nothing may act on what has come so far
            raise ClientGone
        size += len(part.get("body", b""))
        if size <= BODY_LIMIT:
            body += part.get("body", b"")
        more = part.get("more_body", False)
    return bytes(body) if size <= BODY_LIMIT else None


def _request(scope: Scope, lines: Iterable[tuple[bytes, bytes]], body: bytes) -> Request:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in lines:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";")]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    source = scope["client"][0] if scope["client"] else "127.0.0.1"
    _, _, port = headers.get("host", "").rpartition(":")
    headers |= {"x-forwarded-for": source, "x-forwarded-proto": "http", "x-forwarded-port": port}
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        cookies=tuple(cookies),
        body=body,
        protocol=f"HTTP/{scope['http_version']}",
        source=source,
    )
