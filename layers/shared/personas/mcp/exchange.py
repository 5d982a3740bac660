"""One exchange of the Model Context Protocol over Streamable HTTP: a message comes in, and one answer goes out.

Requests of the latest revision carry all that there is to know of them, and their headers repeat it for gateways; those
of the revisions with a handshake name their revision in a header. No session is kept for either.
"""

import base64
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from mcp_types import CLIENT_CAPABILITIES_META_KEY, PROTOCOL_VERSION_META_KEY
from mcp_types.jsonrpc import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    UNSUPPORTED_PROTOCOL_VERSION,
    JSONRPCNotification,
    JSONRPCRequest,
)
from pydantic import JsonValue, ValidationError

from personas.contract.mcp import HANDSHAKE, LATEST, REVISIONS

_VERSION: Final = "mcp-protocol-version"
_DECLARED: Final[Mapping[str, type]] = {PROTOCOL_VERSION_META_KEY: str, CLIENT_CAPABILITIES_META_KEY: dict}
"""The members of ``_meta`` that every request of the latest revision has."""
_NAMED_BY: Final[Mapping[str, str]] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The parameter that the header Mcp-Name repeats, by method."""
_NO_REQUEST: Final = "The message is no request of JSON-RPC 2.0."
_ENCODED: Final = re.compile(r"=\?base64\?(.*)\?=")
_STATUS_OF: Final[Mapping[int, HTTPStatus]] = {
    METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND,
    **dict.fromkeys(
        (INVALID_REQUEST, INVALID_PARAMS, HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION), HTTPStatus.BAD_REQUEST
    ),
}
"""The statuses of errors in the latest revision; others are answered with 200."""


class ProtocolError(Exception):
    """An error of the protocol: the request has no result."""

    def __init__(self, code: int, message: str, data: JsonValue = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Request(NamedTuple):
    """A request, by the revision of the protocol that it is made in."""

    revision: str
    method: str
    params: Mapping[str, object]


class Reply(NamedTuple):
    """The status and the body that answer a message; a notification has no body."""

    status: int
    body: dict[str, object] | None = None


type Serve = Callable[[Request], Mapping[str, object]]
"""A function that returns the result of a request, or raises a ProtocolError."""


def exchange(message: object, headers: Mapping[str, str], serve: Serve) -> Reply:
    """Return the answer to a message. ``headers`` has lower-case names."""
    if not isinstance(message, dict):
        return failure(ProtocolError(INVALID_REQUEST, "Send one message, an object: batches are not taken."))
    if "id" not in message or "method" not in message:
        return _acknowledged(message, headers)
    try:
        request = JSONRPCRequest.model_validate(message)
    except ValidationError:
        sent = message["id"]
        request_id = sent if isinstance(sent, str | int) and not isinstance(sent, bool) else None
        return failure(ProtocolError(INVALID_REQUEST, _NO_REQUEST), request_id)
    params = request.params or {}
    latest = _is_latest(params, headers)
    try:
        revision = _declared(request.method, params, headers) if latest else headers.get(_VERSION, HANDSHAKE[-1])
        result = serve(Request(revision, request.method, params))
    except ProtocolError as error:
        status = _STATUS_OF.get(error.code, HTTPStatus.OK) if latest else HTTPStatus.OK
        return failure(error, request.id, status)
    return Reply(HTTPStatus.OK, {"jsonrpc": "2.0", "id": request.id, "result": result})


def failure(error: ProtocolError, request_id: str | int | None = None, status: int = HTTPStatus.BAD_REQUEST) -> Reply:
    """Return the answer to a request that has no result."""
    told: dict[str, object] = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return Reply(status, {"jsonrpc": "2.0", "id": request_id, "error": told})


def _is_latest(params: Mapping[str, object], headers: Mapping[str, str]) -> bool:
    """Tell whether a request is made in the latest revision, or means to be: what else there is has a handshake."""
    meta = params.get("_meta")
    declares = isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta
    return declares or headers.get(_VERSION, HANDSHAKE[-1]) not in HANDSHAKE


def _acknowledged(message: Mapping[str, object], headers: Mapping[str, str]) -> Reply:
    """Take a notification and do nothing: no request of ours is under way that it could be about."""
    version = headers.get(_VERSION, LATEST)
    if version not in REVISIONS:
        return failure(_unsupported(version))
    if "method" not in message:
        # This server asks nothing, so what answers it is a mistake.
        return failure(ProtocolError(INVALID_REQUEST, _NO_REQUEST))
    try:
        JSONRPCNotification.model_validate(message)
    except ValidationError:
        return failure(ProtocolError(INVALID_REQUEST, "The message is no notification of JSON-RPC 2.0."))
    return Reply(HTTPStatus.ACCEPTED)


def _declared(method: str, params: Mapping[str, object], headers: Mapping[str, str]) -> str:
    """Return the revision that a request of the latest one declares, once its headers are held against it.

    Raises:
        ProtocolError: something that every request says is missing, a header says something else than the body, or the
            revision is not served.
    """
    sent = params.get("_meta")
    meta = sent if isinstance(sent, dict) else {}
    missing = [key for key, kind in _DECLARED.items() if not isinstance(meta.get(key), kind)]
    if missing:
        if headers.get(_VERSION, LATEST) not in REVISIONS:
            raise _unsupported(headers[_VERSION])
        raise ProtocolError(INVALID_PARAMS, f"params._meta lacks {' and '.join(missing)}.")
    version = meta[PROTOCOL_VERSION_META_KEY]
    repeated = {_VERSION: version, "mcp-method": method}
    named_by = _NAMED_BY.get(method)
    if named_by is not None and named_by in params:
        repeated["mcp-name"] = params[named_by]
    for header, told in repeated.items():
        if header not in headers or _decoded(headers[header]) != told:
            raise ProtocolError(
                HEADER_MISMATCH, f"The header {header} is missing, or says something else than the body."
            )
    if version != LATEST:
        raise _unsupported(version)
    return LATEST


def _unsupported(version: str) -> ProtocolError:
    data: JsonValue = {"supported": [*REVISIONS], "requested": version}
    return ProtocolError(UNSUPPORTED_PROTOCOL_VERSION, "This revision of the protocol is not served.", data)


def _decoded(value: str) -> str | None:
    """Return the text of a header, which is base64 where no header can hold it; None if that is wrong."""
    encoded = _ENCODED.fullmatch(value.strip())
    if encoded is None:
        return value.strip()
    try:
        return base64.b64decode(encoded[1], validate=True).decode()
    except ValueError:
        return None
