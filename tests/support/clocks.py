"""Execution environments whose machines' clocks are off, each in a process of its own."""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Final, Self

import pytest
import time_machine
from aws_lambda_powertools.utilities.idempotency import base as handler
from aws_lambda_powertools.utilities.idempotency.persistence import base, datarecord

from personas.clock import machine_time
from personas.runtime import clock
from support.aws import forget
from support.client import Answer, Client
from support.environments import shifted
from support.forked import forking

_lasting: Final = ExitStack()
"""The contexts that such a process stays in as long as it lives."""
_clients: Final[list[Client]] = []
"""In such a process, its only client."""


@dataclass
class Apart:
    """An execution environment of every function; all that its process knows of the time is ``off``."""

    environment: InitVar[Mapping[str, str]]
    headers: InitVar[Mapping[str, str]]
    off: timedelta = timedelta()
    _pool: ProcessPoolExecutor = field(init=False)

    def __post_init__(self, environment: Mapping[str, str], headers: Mapping[str, str]) -> None:
        given = (dict(environment), dict(headers), self.off)
        self._pool = ProcessPoolExecutor(1, mp_context=forking(), initializer=_begin, initargs=given)

    def call(self, operation: str, body: object = None) -> Answer:
        """Call an operation there."""
        return self._pool.submit(_call, operation, body).result()

    def restart(self) -> None:
        """Begin the next call in a new environment, which has heard nothing of AWS."""
        self._pool.submit(forget).result()

    def stop(self) -> None:
        """End the process."""
        self._pool.shutdown()


@contextmanager
def apart(
    environment: Mapping[str, str], headers: Mapping[str, str], offs: Iterable[timedelta]
) -> Iterator[list[Apart]]:
    """Start environments whose clocks are wrong by these offsets; they stop at the end of the context."""
    started = [Apart(environment, headers, off) for off in offs]
    try:
        yield started
    finally:
        for each in started:
            each.stop()


@contextmanager
def clock_off(by: timedelta) -> Iterator[None]:
    """Have this process's clock go wrong, whoever in it asks for the time, but for the monotonic one."""
    with time_machine.travel(datetime.now(UTC) + by, tick=True) if by else nullcontext():
        yield


def set_machine_off(by: timedelta, *, known: bool) -> None:
    """Have the machine of this process's environment have a clock that is off; whether AWS has told it so already."""
    clock().machine = shifted(machine_time, by)
    clock().correction = -by if known else timedelta()


@contextmanager
def powertools_off(by: timedelta) -> Iterator[None]:
    """Have Powertools' records of Idempotency-Keys go by a machine whose clock is off."""

    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + by

    with pytest.MonkeyPatch.context() as patching:
        for module in (handler, base, datarecord):
            patching.setattr(module, "dt", SimpleNamespace(datetime=Off, timedelta=timedelta))
        yield


def _begin(environment: Mapping[str, str], headers: Mapping[str, str], off: timedelta) -> None:
    os.environ.update(environment)
    # Logs and metrics go to stdout.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _lasting.enter_context(clock_off(off))
    _clients.append(Client(headers))


def _call(operation: str, body: object) -> Answer:
    return _clients[0].call(operation, body)
