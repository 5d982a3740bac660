"""Requests as events of payload format 2.0, and the answers of functions as responses."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from personas_tools.invocation import Json
from personas_tools.template import Route

_TEXT_TYPE: Final = re.compile(r"text/.*|application/(json|javascript|xml|.*\+(json|xml))")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

type Headers = Mapping[str, str]


class MalformedAnswer(Exception):
    """A function's answer that API Gateway would not understand."""


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
    """Return the path parameters (``{name}``, and at the end ``{name+}``), or None when ``route`` is not meant."""
    if route.method not in (method, "ANY"):
        return None
    pattern = re.sub(r"\\{(\w+)(\\\+)?\\}", _group, re.escape(route.path))
    found = re.fullmatch(pattern, path)
    return None if found is None else found.groupdict()


def _group(parameter: re.Match[str]) -> str:
    return f"(?P<{parameter[1]}>{'.+' if parameter[2] else '[^/]+'})"


def message(status: int, text: str) -> Response:
    """Return an answer of the gateway itself."""
    return document(status, {"message": text})


def document(status: int, content: Json) -> Response:
    """Return an answer with a JSON body."""
    return Response(status, {"content-type": "application/json"}, json.dumps(content, separators=(",", ":")).encode())


def to_event(request: Request, route: Route, parameters: Mapping[str, str], request_id: str, now: datetime) -> Json:
    """Return the event of payload format 2.0 for ``request``. Empty parts are left out, as API Gateway does."""
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
    """Return the body as a string, or None where API Gateway passes it on in base64."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _TEXT_TYPE.fullmatch(media_type):
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


def to_response(answer: Json) -> Response:
    """Return the response that a function's ``answer`` stands for, in payload format 2.0.

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
