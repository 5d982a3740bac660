"""The local stand-in for an API Gateway HTTP API: an ASGI application in front of the functions.

It turns requests into events of payload format 2.0 and answers of functions into responses, with the limits, the
errors and the CORS behaviour of the real one. One thing differs: pages that this machine serves may always call.
"""

import asyncio
import base64
import binascii
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol, TypedDict
from urllib.parse import parse_qsl

from personas_tools.template import Cors, Route
from personas_tools.worker import Answer, Failure, Json

BODY_LIMIT: Final = 10 * 1024 * 1024
HEADER_LIMIT: Final = 10_240
"""Bytes of the request line and all headers together."""
PATIENCE: Final = 30.0
"""Seconds that the gateway waits for a function."""

_log = logging.getLogger(__name__)
_TEXT_TYPE: Final = re.compile(r"text/.*|application/(json|javascript|xml|.*\+(json|xml))")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_FORWARDED: Final = frozenset({"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding"})
_BODILESS: Final = frozenset({204, 304})
_LOOPBACK: Final = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


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
type Headers = Mapping[str, str]


class Invoker(Protocol):
    """Runs functions, as `worker.Workers` does; called from ``parallel`` threads."""

    parallel: int

    def invoke(self, name: str, event: Json) -> Answer | Failure:
        """Run function ``name`` on ``event`` and wait for its end."""
        ...


@dataclass(frozen=True)
class Request:
    """One request, read completely. Header names are lower-case; repeated headers are joined by commas."""

    method: str
    path: str
    query: str = ""
    headers: Headers = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    body: bytes = b""
    protocol: str = "HTTP/1.1"
    source: str = "127.0.0.1"


@dataclass(frozen=True)
class Response:
    """One response. ``cookies`` become a Set-Cookie header each."""

    status: int
    headers: Headers
    body: bytes = b""
    cookies: tuple[str, ...] = ()


def match(route: Route, method: str, path: str) -> dict[str, str] | None:
    """The path parameters (``{name}``, and at the end ``{name+}``), or None when ``route`` is not meant."""
    if route.method not in (method, "ANY"):
        return None
    pattern = re.sub(r"\\{(\w+)(\\\+)?\\}", _group, re.escape(route.path))
    found = re.fullmatch(pattern, path)
    return None if found is None else found.groupdict()


def _group(parameter: re.Match[str]) -> str:
    return f"(?P<{parameter[1]}>{'.+' if parameter[2] else '[^/]+'})"


def cors_headers(cors: Cors, origin: str | None) -> dict[str, str]:
    """What the gateway adds to a function's answer to a request from ``origin``; nothing if that may not call."""
    if origin is None:
        return {}
    if "*" in cors.allow_origins:
        headers = {"access-control-allow-origin": "*"}
    elif origin in cors.allow_origins or f"{origin.partition('://')[0]}://*" in cors.allow_origins:
        headers = {"access-control-allow-origin": origin}
    else:
        return {}
    if cors.expose_headers:
        headers["access-control-expose-headers"] = ",".join(cors.expose_headers)
    return headers


def with_loopback(cors: Cors, origin: str | None) -> Cors:
    """Return the settings by which a page that this machine serves itself, on any port, may call as well."""
    if origin is None or not _LOOPBACK.fullmatch(origin):
        return cors
    return replace(cors, allow_origins=(*cors.allow_origins, origin))


def preflight_headers(cors: Cors, origin: str) -> dict[str, str]:
    """The headers of the answer to a preflight request from ``origin``; none if it may not call."""
    headers = cors_headers(cors, origin)
    if headers:
        headers["access-control-max-age"] = str(cors.max_age)
        for name, values in (("methods", cors.allow_methods), ("headers", cors.allow_headers)):
            if values:
                headers[f"access-control-allow-{name}"] = ",".join(values)
    return headers


class ClientGone(Exception):
    """The client hung up before its request was complete."""


class MalformedAnswer(Exception):
    """A function's answer that API Gateway would not understand."""


def message(status: int, text: str) -> Response:
    """An answer of the gateway itself."""
    return document(status, {"message": text})


def document(status: int, content: Json) -> Response:
    """An answer with a JSON body."""
    return Response(status, {"content-type": "application/json"}, json.dumps(content, separators=(",", ":")).encode())


def to_event(request: Request, route: Route, parameters: Mapping[str, str], request_id: str, now: datetime) -> Json:
    """The event of payload format 2.0 for ``request``. What is empty is left out, as API Gateway does."""
    host = request.headers.get("host", "localhost")
    domain = host.rpartition(":")[0] or host
    text = _as_text(request)
    route_key = f"{route.method} {route.path}"
    event: dict[str, Json] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": dict(request.headers),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": request.protocol,
                "sourceIp": request.source,
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": bool(request.body) and text is None,
    }
    if request.cookies:
        event["cookies"] = list(request.cookies)
    if request.query:
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(request.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        event["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    if parameters:
        event["pathParameters"] = dict(parameters)
    if request.body:
        event["body"] = base64.b64encode(request.body).decode() if text is None else text
    return event


def _as_text(request: Request) -> str | None:
    """The body as a string, or None where API Gateway passes it on in base64."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _TEXT_TYPE.fullmatch(media_type):
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


def to_response(answer: Json) -> Response:
    """The response that a function's ``answer`` stands for, in payload format 2.0.

    An answer without statusCode is the body of a 200, as JSON (a string as it is).

    Raises:
        MalformedAnswer: it has a statusCode but not the shape of a response.
    """
    if not isinstance(answer, dict) or "statusCode" not in answer:
        whole = answer if isinstance(answer, str) else json.dumps(answer)
        return Response(200, {"content-type": "application/json"}, whole.encode())
    try:
        status = int(str(answer["statusCode"]))
    except ValueError:
        raise MalformedAnswer("statusCode is not a number") from None
    headers, cookies = answer.get("headers") or {}, answer.get("cookies") or []
    body = answer.get("body")
    if status not in range(200, 600) or not isinstance(headers, dict) or not isinstance(cookies, list):
        raise MalformedAnswer("statusCode, headers or cookies are not those of a response")
    if body is not None and not isinstance(body, str):
        raise MalformedAnswer("body is not a string")
    content = (body or "").encode()
    if answer.get("isBase64Encoded"):
        try:
            content = base64.b64decode(content, validate=True)
        except binascii.Error:
            raise MalformedAnswer("body is not base64") from None
    kept = {name.lower(): _header_value(name, value) for name, value in headers.items()}
    if content:
        kept.setdefault("content-type", "text/plain;charset=UTF-8")
    return Response(status, kept, content, tuple(str(cookie) for cookie in cookies))


def _header_value(name: str, value: Json) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str | int | float) or not _HEADER_NAME.fullmatch(name) or not text.isprintable():
        raise MalformedAnswer(f"the header {name!r} is not one")
    return text


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
    """The whole body, or None when it is too large. It is read to its end even then, so that the answer arrives."""
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
