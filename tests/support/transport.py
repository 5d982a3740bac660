"""HTTP without a network: what a client of the API sends goes straight to the real handlers."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial

import httpx2
import pytest
from click.testing import CliRunner, Result

from personas_tools import http_api
from personas_tools.cli import main
from personas_tools.http_api import Api
from support.client import Client, event
from support.world import World

type Run = Callable[..., Result]


@dataclass
class Handlers(httpx2.BaseTransport):
    """A transport that answers requests by the handlers, as the caller whose key a request carries.

    ``before`` and ``after`` are called with the operation of each request, around its handler: what they raise is
    raised in the client. ``calls`` has the operations that were asked for, ``keys`` their Idempotency-Keys.
    Addresses of the bucket are answered by ``stored``, the file under a key; operations in ``instead`` as that says.
    """

    client: Client
    before: Callable[[str], None] = lambda operation: None
    after: Callable[[str], None] = lambda operation: None
    calls: list[str] = field(default_factory=list)
    stored: Callable[[str], bytes] | None = None
    keys: list[str | None] = field(default_factory=list)
    instead: dict[str, httpx2.Response] = field(default_factory=dict)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.stored is not None and "X-Amz-Signature" in request.url.params:
            assert "x-api-key" not in request.headers
            return httpx2.Response(200, content=self.stored(request.url.path[1:]))
        *_, given, operation = request.url.path.split("/")
        self.before(operation)
        self.calls.append(operation)
        self.keys.append(request.headers.get("idempotency-key"))
        if operation in self.instead:
            return self.instead[operation]
        headers = {name: request.headers[name] for name in request.headers if name in ("x-api-key", "idempotency-key")}
        body: object = {"upload_id": given} if operation == "download" else request.read().decode()
        with redirect_stdout(io.StringIO()):  # a function writes its metrics there, and the command its answer
            answer = self.client.invoke(operation, event(operation, body, headers))
        self.after(operation)
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.text.encode())


def connect(patch: pytest.MonkeyPatch, handlers: Handlers) -> None:
    """Let commands call the handlers, and nobody pause before a call is made again, until ``patch`` is undone."""
    patch.setattr(http_api, "Api", partial(Api, transport=handlers, pause=lambda seconds: None))


def command_line(patch: pytest.MonkeyPatch, world: World, handlers: Handlers) -> Run:
    """Return a function that runs a command on the handlers, until ``patch`` is undone.

    It is given the words of the command, ``who`` runs it, one of the world's people, and how it ``fails``: the expected
    exit code.
    """
    connect(patch, handlers)

    def invoke(*arguments: str, who: str = "root", fails: int = 0) -> Result:
        environ = {"COLUMNS": "200", "PERSONAS_KEY": world.key(who)}
        result = CliRunner().invoke(main, arguments, env=environ)
        assert result.exit_code == fails, (result.output, result.exception)
        return result

    return invoke
