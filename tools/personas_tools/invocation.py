"""The invocation of a function, as server and execution environment tell each other of it.

They talk JSON over a socket pair, one length-prefixed frame each way.
"""

import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

type Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

PAYLOAD_LIMIT: Final = 6 * 1024 * 1024 + 100
"""Bytes that Lambda takes as an event, and as an answer, of a synchronous call."""
INIT_LIMIT: Final = 30.0
"""Seconds for an import. Lambda gives 10; a busy laptop may need more, and no client waits for it."""
ANSWER: Final = b"A"
FAILURE: Final = b"F"
"""The first byte of a reply: what follows is an answer, or the reason why there is none."""

_HEADER: Final = struct.Struct("!I")


@dataclass(frozen=True)
class Function:
    """A function as deployed: physical name, folder of its code, handler, limits (seconds, MB), environment."""

    name: str
    code: str
    layers: tuple[str, ...]
    handler: str
    timeout: float
    memory: int
    environment: Mapping[str, str]
    init_limit: float = INIT_LIMIT


@dataclass(frozen=True)
class Answer:
    """The value that a handler returned."""

    payload: Json


@dataclass(frozen=True)
class Failure:
    """The reason of a missing answer: an exception, the time limit, an event that was too large, or a dead process."""

    reason: str
    timed_out: bool = False
    too_large: bool = False


def failed_items(answer: Json) -> set[str]:
    """Return the ids of the messages or records of a batch that a function has not managed, as it reports them."""
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    reported = failures if isinstance(failures, list) else []
    return {str(each["itemIdentifier"]) for each in reported if isinstance(each, dict)}


def inherited() -> dict[str, str]:
    """Return the part of the caller's environment that the processes below keep: nothing of AWS, Python or proxies."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def send(link: socket.socket, data: bytes) -> None:
    """Send a frame.

    Raises:
        OSError: the other side has hung up, or does not take it in time.
    """
    link.sendall(_HEADER.pack(len(data)) + data)


def receive(link: socket.socket) -> bytes | None:
    """Return the next frame, or None when the other side has hung up."""
    header = _read(link, _HEADER.size)
    return None if header is None else _read(link, _HEADER.unpack(header)[0])


def _read(link: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = link.recv(min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)
