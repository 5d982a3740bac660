"""A tap between a client and a local server: it passes everything on and keeps what went through."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_OF_THE_CONNECTION = frozenset({"connection", "transfer-encoding", "date", "server", "accept-encoding"})


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    request_headers: Mapping[str, str]
    request_body: str
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Tap:
    """The tap's own port, and what went through it so far."""

    port: int
    exchanges: list[Exchange] = field(default_factory=list)


@contextlib.contextmanager
def tapping(server_port: int, added: Mapping[str, str] | None = None) -> Iterator[Tap]:
    """Run a tap before the server on that port of this machine; each request gets the headers ``added``."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            sent = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_CONNECTION}
            sent |= added or {}
            with contextlib.closing(HTTPConnection("127.0.0.1", server_port, timeout=60)) as connection:
                connection.request(self.command, self.path, body, sent)
                answer = connection.getresponse()
                content, got = answer.read(), dict(answer.getheaders())
            exchange = Exchange(self.command, self.path, sent, body.decode(), answer.status, got, content.decode())
            tap.exchanges.append(exchange)
            self.send_response_only(answer.status)
            for name, value in got.items():
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, value)
            with contextlib.suppress(ConnectionError):  # a client may have gone without waiting for the answer
                self.end_headers()
                self.wfile.write(content)

        do_DELETE = do_GET = do_POST = do_PATCH = _pass_on

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        tap = Tap(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield tap
        finally:
            server.shutdown()
            thread.join()
