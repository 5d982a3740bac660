"""The application of the MCP server: the admission of its callers, and errors in the protocol's own form."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import pydantic_core
from aws_lambda_powertools.event_handler import Response
from mcp_types.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR
from pydantic import JsonValue

from personas.api import Api, lower_case
from personas.bodies import JSON_TYPE, read_json
from personas.contract.mcp import METADATA_PATH, OPERATION
from personas.domain.profile import Caller
from personas.errors import Forbidden, MethodNotAllowed, NotFound, NotJson, PersonasError
from personas.identity import KEY_PREFIX
from personas.mcp.exchange import ProtocolError, Reply, exchange, failure
from personas.mcp.server import serve
from personas.services import services

METHOD: Final = "POST"
OTHER_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT")
_OWN_MACHINE: Final = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
"""The origin of a page that the caller's own machine serves, such as the inspector of MCP servers."""


class McpApi(Api):
    """The application of the one function that speaks the Model Context Protocol."""

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller of a request that comes from no foreign page; a key may come as a bearer token, too.

        Raises:
            Forbidden: a page of a foreign origin has sent it.
            PersonasError: whatever ``Authenticator.authenticate`` raises.
        """
        _check_origin(headers.get("origin"))
        return super().authenticate(_with_key(headers))._replace(mcp=True)

    @property
    def challenge(self) -> str:
        """The value of ``WWW-Authenticate`` in a 401: where tokens are taken, with the place that tells whose."""
        if _issuer() is None:
            return super().challenge
        return f'Bearer realm="personas", resource_metadata="{self._url(METADATA_PATH + OPERATION.path)}"'

    def error_body(self, error: PersonasError) -> tuple[str, dict[str, object]]:
        """Return the media type and the body that tell of an error: a failure of JSON-RPC."""
        told: JsonValue = {"code": error.code, "request_id": self.current_event.request_context.request_id}
        return JSON_TYPE, failure(ProtocolError(_code_of(error), error.detail, told)).body or {}

    def answer(self) -> Response[str]:
        """Return the answer to the message of a request, in its route."""
        message = read_json(self.current_event, self.operation.body_max)
        headers = lower_case(self.current_event.headers)
        reply = exchange(message, headers, lambda request: serve(services(), self.caller, request))
        return _response(reply)

    def refuse(self) -> Response[str]:
        """Return the answer to another method: there is no stream to listen to, and no session to end."""
        answer = self.problem(MethodNotAllowed("Send each message by POST."))
        answer.headers["Allow"] = METHOD
        return answer

    def metadata(self, path: str) -> Response[str]:
        """Return the metadata (RFC 9728) of the resource at a path of this host.

        Raises:
            NotFound: this deployment takes no tokens that a client could ask for.
        """
        issuer = _issuer()
        if issuer is None:
            raise NotFound("This deployment takes API keys, and no tokens that a client could ask for.")
        told: dict[str, object] = {
            "resource": self._url(path),
            "authorization_servers": [issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "Personas",
        }
        return _response(Reply(HTTPStatus.OK, told))

    def _url(self, path: str) -> str:
        headers = lower_case(self.current_event.headers)
        host = headers.get("host") or self.current_event.request_context.domain_name
        return f"{headers.get('x-forwarded-proto', 'https')}://{host}{path}"


def _issuer() -> str | None:
    """Return the issuer whose tokens are taken, where it is an address to ask for one: the local one is a mere name."""
    issuer = services().settings.jwt_issuer
    return issuer if issuer.startswith(("https://", "http://")) else None


def _response(reply: Reply) -> Response[str]:
    if reply.body is None:
        return Response(reply.status, body="")
    return Response(reply.status, JSON_TYPE, pydantic_core.to_json(reply.body).decode())


def _check_origin(origin: str | None) -> None:
    """Let pass what no page sends, and pages of the origins of this deployment and of the caller's own machine.

    Raises:
        Forbidden: it comes from another page, such as one that found its way here by rebinding a name.
    """
    allowed = services().settings.cors_origins.split(",")
    if origin is None or "*" in allowed or origin in allowed or _OWN_MACHINE.fullmatch(origin):
        return
    raise Forbidden("Pages of this origin may not call.", code="foreign_origin")


def _with_key(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers with a key in its own place: many clients can send a bearer token and nothing else."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    key = token.strip()
    if scheme.lower() != "bearer" or not key.startswith(f"{KEY_PREFIX}.") or (headers.get("x-api-key") or key) != key:
        return headers
    return {**headers, "authorization": "", "x-api-key": key}


def _code_of(error: PersonasError) -> int:
    if isinstance(error, NotJson):
        return PARSE_ERROR
    return INTERNAL_ERROR if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else INVALID_REQUEST
