"""A service that accepts and never answers, or answers a byte now and then: a real TCP proxy before a real one.

    with before(address) as proxy:
        proxy.stall = Stall.IN_BODY

A client without any time limit gets its answer in the end; the others have to give up by themselves.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum, auto
from typing import Final
from urllib.parse import urlsplit

INTERVAL: Final = 0.2
"""The seconds from one byte that trickles to the next: less than any time-out of a socket."""
_CHUNK: Final = 64 * 1024


class Stall(Enum):
    """The ways in which the service is stalled."""

    NEVER = auto()
    """Not at all."""
    SILENT = auto()
    """It takes the request and never answers."""
    DEAF = auto()
    """It accepts the connection and reads nothing."""
    IN_STATUS = auto()
    """The first line of the answer trickles."""
    IN_HEADERS = auto()
    """The headers trickle."""
    IN_BODY = auto()
    """The headers come at once, and the body trickles."""


class Proxy:
    """A proxy that passes HTTP on, one request a connection, and stalls on demand."""

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self._target = (address.hostname or "", address.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self.stall = Stall.NEVER
        self.only = b""
        """The bytes that a request must contain to be stalled."""
        self.stalled = 0
        """The number of requests that were stalled."""

    @property
    def address(self) -> str:
        """Return the address at which it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Accept connections until it is closed."""
        while not self._over.is_set():
            with suppress(OSError):
                accepted, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(accepted,), daemon=True).start()

    def close(self) -> None:
        """End all of it."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pass_on(self, client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            stall = self.stall
            if stall is Stall.DEAF:
                self.stalled += 1
                self._over.wait()
                return
            request = _message(client)
            if self.only not in request:
                stall = Stall.NEVER
            self.stalled += stall is not Stall.NEVER
            if stall is Stall.SILENT:
                self._over.wait()
                return
            with socket.create_connection(self._target) as server:
                server.sendall(_closing(request))
                answer = b"".join(iter(lambda: server.recv(_CHUNK), b""))
            self._answer(client, answer, stall)

    def _answer(self, client: socket.socket, answer: bytes, stall: Stall) -> None:
        status, headers = answer.index(b"\r\n"), answer.index(b"\r\n\r\n") + 4
        at_once = {Stall.IN_STATUS: 0, Stall.IN_HEADERS: status + 2, Stall.IN_BODY: headers}.get(stall, len(answer))
        client.sendall(answer[:at_once])
        for octet in answer[at_once:]:
            if self._over.wait(INTERVAL):
                return
            client.sendall(bytes([octet]))


def _message(client: socket.socket) -> bytes:
    """Read a whole request; a client that expects "100 Continue" receives it."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(_CHUNK)
    head, _, body = received.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if fields.get(b"expect") == b"100-continue":
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < int(fields.get(b"content-length", b"0")):
        body += client.recv(_CHUNK)
    return head + b"\r\n\r\n" + body


def _closing(request: bytes) -> bytes:
    """Return the same request without "Expect", so changed that the connection is closed after its answer."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"expect:", b"connection:"))]
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body


@contextmanager
def before(target: str) -> Iterator[Proxy]:
    """Run a proxy before the service at that address."""
    proxy = Proxy(target)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
