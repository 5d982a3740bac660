"""Waits of connections, by a clock that waiting alone moves. Real sockets: tests/integration/test_stalling."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Self, cast

import pytest

from personas.connections import BoundedSocket, dial
from personas.runtime import ANSWER_TIME, Deadline
from support.faults import Waiting

MEGABYTE = 1024 * 1024


class Peer:
    """A socket whose other side takes ``seconds`` for everything, or for ever."""

    def __init__(self, waiting: Waiting, seconds: float) -> None:
        self._waiting = waiting
        self._seconds = seconds
        self._timeout = float("inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: there is nothing to release."""

    def setsockopt(self, *_: object) -> None:
        """Ignore the option."""

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = float("inf") if seconds is None else seconds

    def connect(self, _address: object) -> None:
        self.takes()

    def send(self, data: bytes) -> int:
        self.takes()
        return len(data)

    def takes(self) -> int:
        self._waiting.passes(min(self._seconds, self._timeout))
        if self._seconds > self._timeout:
            raise TimeoutError
        return 1


def bounded(peer: Peer, timeout: float, deadline: Deadline | None = None) -> BoundedSocket:
    return BoundedSocket(cast("socket.socket", peer), timeout, deadline or Deadline())


def test_all_addresses_of_a_host_share_the_time_for_one(monkeypatch: pytest.MonkeyPatch, waiting: Waiting) -> None:
    # Given a host of eight addresses that never answer
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 443)) for number in range(8)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "socket", lambda *_: Peer(waiting, float("inf")))
    # When it is dialled, then that is given up when the time for one is over
    with pytest.raises(TimeoutError):
        dial("s3.test", 443, 1.0)
    assert waiting.slept == pytest.approx(1.0, abs=0.1)


def test_an_address_that_refuses_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a host of two addresses, the first of which refuses
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as gone:
        refusing = gone.getsockname()
        gone.close()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in (refusing, server.getsockname())]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        # When it is dialled, then it is reached
        with dial("s3.test", 443, 5.0) as reached:
            assert reached.getpeername() == server.getsockname()


def test_a_host_all_of_whose_addresses_refuse_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        refusing = gone.getsockname()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", refusing)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(ConnectionRefusedError):
        dial("s3.test", 443, 5.0)


def test_a_request_and_the_first_byte_of_its_answer_share_their_time(waiting: Waiting) -> None:
    # Given a peer that takes each part of a request in two seconds of three
    peer = Peer(waiting, 2.0)
    connection = bounded(peer, 3.0)
    connection.sendall(b"head")
    # When the body is sent, then that is too late
    with pytest.raises(TimeoutError):
        connection.sendall(b"body")
    assert waiting.slept == pytest.approx(3.0, abs=0.1)


def test_a_long_request_has_more_time(waiting: Waiting) -> None:
    # Given a peer that takes 64 KB in a tenth of a second: 8 MB in 13 of 27
    connection = bounded(Peer(waiting, 0.1), 3.0)
    connection.sendall(bytes(8 * MEGABYTE))
    assert waiting.slept == pytest.approx(12.8, abs=0.1)


def test_the_next_request_begins_anew(waiting: Waiting) -> None:
    peer = Peer(waiting, 1.0)
    connection = bounded(peer, 3.0)
    for _ in range(5):
        connection.sendall(b"request")
        assert connection.receive(peer.takes) == 1


def test_an_answer_is_waited_for_from_byte_to_byte(waiting: Waiting) -> None:
    peer = Peer(waiting, 2.0)
    connection = bounded(peer, 3.0)
    for _ in range(5):
        connection.receive(peer.takes)
    assert waiting.slept == pytest.approx(10.0, abs=0.1)


def _waits(connection: BoundedSocket, peer: Peer) -> Iterator[Any]:
    yield lambda: connection.receive(peer.takes)
    yield lambda: connection.sendall(bytes(8 * MEGABYTE))


@pytest.mark.parametrize("number", [0, 1])
def test_nothing_is_waited_for_beyond_the_deadline(waiting: Waiting, number: int) -> None:
    # Given an invocation of ten seconds, and a peer that gives and takes a little every two
    deadline = Deadline()
    deadline.start(timedelta(seconds=10))
    peer = Peer(waiting, 2.0)
    call = list(_waits(bounded(peer, 3.0, deadline), peer))[number]

    # When it is at it all the time, then that ends in time for the answer
    def for_ever() -> None:
        while True:
            call()

    with pytest.raises(TimeoutError):
        for_ever()
    assert waiting.slept <= 10 - ANSWER_TIME.total_seconds()


class TestDeadline:
    def test_outside_an_invocation_there_is_none(self) -> None:
        assert Deadline().bounded_timeout(3.0) == 3.0

    def test_calls_may_be_given_less_time_for_a_while(self, waiting: Waiting) -> None:
        deadline = Deadline()
        deadline.start(timedelta(seconds=29))
        with deadline.within(timedelta(seconds=2)):
            assert deadline.bounded_timeout(3.0) == pytest.approx(2.0, abs=0.1)
        assert deadline.bounded_timeout(3.0) == 3.0

    def test_but_not_more(self, waiting: Waiting) -> None:
        deadline = Deadline()
        deadline.start(timedelta(seconds=3))
        with deadline.within(timedelta(seconds=20)):
            assert deadline.bounded_timeout(10.0) == pytest.approx(2.0, abs=0.1)

    def test_what_follows_can_be_kept_time_for(self, waiting: Waiting) -> None:
        deadline = Deadline()
        deadline.start(timedelta(seconds=5))
        with deadline.reserving(timedelta(seconds=1)):
            assert deadline.bounded_timeout(None) == pytest.approx(3.0, abs=0.1)

    def test_when_it_is_over_nothing_waits(self, waiting: Waiting) -> None:
        deadline = Deadline()
        deadline.start(ANSWER_TIME)
        with pytest.raises(TimeoutError):
            deadline.bounded_timeout(3.0)
