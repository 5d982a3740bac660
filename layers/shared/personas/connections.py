"""Connections whose waiting has an end: no socket waits longer than the invocation lasts.

A time-out of a socket counts from one sign of life to the next, so that who sends a byte now and then is waited for
without end, and eight addresses that never answer take eight time-outs. Here all addresses of a host together have the
time for one; a request and the first byte of its answer have the time that is meant for an answer, and one such time
more for each further MB that is sent; and nothing waits beyond the deadline.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Buffer

    from personas.runtime import Deadline

_BLOCK: Final = 64 * 1024
_MEGABYTE: Final = 1024 * 1024


def dial(host: str, port: int, seconds: float) -> socket.socket:
    """Return a connection to one of the host's addresses; what is left of ``seconds`` is its time-out.

    Raises:
        TimeoutError: none answered in that time.
        OSError: all refused, or the host has no address.
    """
    until = time.monotonic() + seconds
    error: OSError = TimeoutError(f"{host} has no address that answers")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no address of {host} answers in time") from error
        with ExitStack() as undo:
            try:
                dialled = undo.enter_context(socket.socket(family, kind, protocol))
                dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                dialled.settimeout(left)
                dialled.connect(address)
            except OSError as failed:
                error = failed
                continue
            dialled.settimeout(max(until - time.monotonic(), 0.001))
            undo.pop_all()
            return dialled
    raise error


class BoundedSocket:
    """A connected socket as ``http.client`` uses one. Its time-out is what a request may wait for its answer."""

    def __init__(self, connected: socket.socket, timeout: float | None, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline
        self._timeout = timeout
        self._answered = True
        self._began = 0.0
        self._sent = 0

    def __getattr__(self, name: str) -> Any:  # whatever else a socket has
        return getattr(self._socket, name)

    def settimeout(self, seconds: float | None) -> None:
        """Set how long an answer is waited for."""
        self._timeout = seconds

    def sendall(self, data: Buffer) -> None:
        """Send it all.

        Raises:
            TimeoutError: the other side does not take it in time.
        """
        if self._answered:
            self._answered, self._began, self._sent = False, time.monotonic(), 0
        with memoryview(data) as view, view.cast("B") as octets:
            first = 0
            while first < len(octets):
                self._allow()
                taken = self._socket.send(octets[first : first + _BLOCK])
                first += taken
                self._sent += taken

    def makefile(self, mode: Literal["rb"], buffering: int | None = None) -> io.RawIOBase | io.BufferedReader:
        """Return a file of the bytes that are received."""
        raw = _Received(self, self._socket.makefile(mode, buffering=0))
        return raw if buffering == 0 else io.BufferedReader(raw)

    def receive(self, read: Callable[[], int | None]) -> int | None:
        """Return the result of ``read``, which begins to wait now."""
        self._allow()
        received = read()
        self._answered = True
        return received

    def _allow(self) -> None:
        """Let the next call wait for as long as there is time for it.

        Raises:
            TimeoutError: there is none.
        """
        allowed = self._timeout
        if allowed is not None and not self._answered:
            allowed = allowed * (1 + self._sent // _MEGABYTE) - (time.monotonic() - self._began)
            if allowed <= 0:
                raise TimeoutError("no answer came in time")
        self._socket.settimeout(self._deadline.bounded_timeout(allowed))


class _Received(io.RawIOBase):
    """The file of the bytes that a socket receives. It keeps the socket open as a socket's own file does."""

    def __init__(self, owner: BoundedSocket, file: socket.SocketIO) -> None:
        self._owner = owner
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int | None:
        return self._owner.receive(lambda: self._file.readinto(buffer))

    def close(self) -> None:
        self._file.close()
        super().close()


class Bounded(HTTPConnection):
    """A connection of ``http.client``, or the base of another, that waits no longer than ``deadline`` allows."""

    deadline: Callable[[], Deadline]
    sock: Any

    def connect(self) -> None:
        """Connect.

        Raises:
            TimeoutError: there is no time for it.
        """
        self.timeout = self.deadline().bounded_timeout(self.timeout)
        self._create_connection = lambda address, seconds, _source: dial(address[0], address[1], seconds)
        super().connect()
        self.sock = BoundedSocket(self.sock, self.timeout, self.deadline())
