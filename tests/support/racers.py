"""Processes that call the real handlers at the same time, each an execution environment of its own.

One process serves them all to start from: it has imported what they need, so that eight of them start in a moment.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Barrier
from typing import Final, NamedTuple

from support.client import Answer, Client, load_handler
from support.forked import forking

WAIT_SECONDS: Final = 60
STOP_SECONDS: Final = 5


class Call(NamedTuple):
    """A call of an operation."""

    operation: str
    body: object
    headers: Mapping[str, str] = {}


@dataclass
class Racers:
    """``number`` processes with the same environment and the same credentials."""

    environment: Mapping[str, str]
    headers: Mapping[str, str]
    number: int = 8
    _processes: list[ForkServerProcess] = field(default_factory=list)
    _pipes: list[Connection] = field(default_factory=list)
    _barrier: Barrier | None = None

    def start(self) -> None:
        """Start the processes."""
        context = forking()
        # Its semaphores live as long as it does here, and the processes find it only when they have started.
        self._barrier = context.Barrier(self.number)
        for _ in range(self.number):
            ours, theirs = context.Pipe()
            given = (theirs, self._barrier, dict(self.environment), self.headers)
            process = context.Process(target=_serve, args=given, daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(ours)

    def race(self, calls: Sequence[Sequence[Call]]) -> list[list[Answer]]:
        """Let each process make its calls one after another; all begin together. The answers of each, in order."""
        if len(calls) != self.number:
            raise ValueError("one list of calls for each process")
        for pipe, some in zip(self._pipes, calls, strict=True):
            pipe.send(list(some))
        answers: list[list[Answer]] = []
        for pipe in self._pipes:
            if not pipe.poll(WAIT_SECONDS):
                raise TimeoutError("a process does not answer")
            answers.append(pipe.recv())
        return answers

    def stop(self) -> None:
        """End all processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()


def _serve(pipe: Connection, barrier: Barrier, environment: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Make the calls that come through the pipe, until it is closed; each process runs this."""
    os.environ.update(environment)
    # Logs and metrics go to stdout; eight of them at once are of use to nobody.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    client = Client(headers)
    while True:
        try:
            calls: list[Call] = pipe.recv()
        except EOFError:
            return
        client.call("get", {})
        for call in calls:
            client.handlers.setdefault(call.operation, load_handler(call.operation))
        barrier.wait(WAIT_SECONDS)
        pipe.send([client.call(call.operation, call.body, **call.headers) for call in calls])
