"""Execution environments as Lambda has them: processes that hold one function each and run one event at a time.

The processes are those of `worker`. A nursery process imports the libraries once, and the layer if its code stays as it
is, and forks an environment from that state, so that a cold start costs hundredths of a second and memory is shared.
The nursery has no threads, which makes forking safe; the server, which has many, never forks.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from personas_tools.invocation import (
    ANSWER,
    PAYLOAD_LIMIT,
    Answer,
    Failure,
    Function,
    Json,
    inherited,
    receive,
    send,
)

LIBRARIES: Final = (
    *("boto3", "jwt", "mcp_types", "isal.isal_zlib", "pyroaring", "stringzilla"),
    "aws_lambda_powertools.event_handler.middlewares.openapi_validation",
)
"""The modules that the nursery imports before it forks: none of them reads the function's environment when imported."""
LAYER_AND_LIBRARIES: Final = (
    *("personas.api", "personas.contract.registry"),
    *("personas.runtime:dynamodb", "personas.runtime:s3", "personas.runtime:sqs"),
    *LIBRARIES,
)
"""The same after what functions share of the layer: its modules, and the clients that a function there makes.

They are nine tenths of a function's start, for code that stays as it is. The layer comes first, for it keeps the
collector out from then on. Of the environment it reads what all functions have alike, which the nursery has as well.
"""

_TOOLS: Final = str(Path(__file__).resolve().parents[1])


class Workers:
    """All execution environments of a stack; `invoke` may be called from any number of threads.

    An idle environment of the function is used again, else a new one is started. The caller keeps to ``parallel``
    invocations at a time; so many idle environments are kept and one a function more, those used last. ``python`` is
    the command of the interpreter that they run in, and ``path`` where it finds the libraries that are not its own.
    """

    def __init__(
        self,
        functions: Sequence[Function],
        log: Path,
        parallel: int = 8,
        libraries: Sequence[str] = LIBRARIES,
        *,
        python: Sequence[str] = (sys.executable,),
        path: Sequence[str] = (),
    ) -> None:
        self.parallel = parallel
        self._functions = {function.name: function for function in functions}
        self._most = len(functions) + parallel
        self._idle: list[_Environment] = []
        self._lock = threading.Lock()
        self._closed = False
        self._generation = 0
        alike = set.intersection(*({*function.environment.items()} for function in functions)) if functions else ()
        layers = dict.fromkeys(layer for function in functions for layer in function.layers)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("w", encoding="utf-8", buffering=1)
        self._control, theirs = socket.socketpair()
        with theirs:
            self._nursery = subprocess.Popen(  # noqa: S603 - a module beside this one
                [*python, "-P", "-m", "personas_tools.worker", str(theirs.fileno()), *libraries],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=inherited()
                | dict(alike)
                | {
                    "AWS_LAMBDA_FUNCTION_NAME": "nursery",  # which keeps the collector out, as in a function
                    "PYTHONPATH": os.pathsep.join((_TOOLS, *layers, *path)),
                    "PYTHONUNBUFFERED": "1",
                },
            )

    def invoke(self, name: str, event: Json) -> Answer | Failure:
        """Run function ``name`` on ``event`` and wait for its end."""
        data = json.dumps(event, ensure_ascii=False).encode()
        if len(data) > PAYLOAD_LIMIT:
            return Failure("the event is larger than Lambda takes", too_large=True)
        environment = self._take(name)
        if environment is None:
            return Failure("the function could not be imported")
        outcome = environment.run(data)
        if outcome is not None:
            self._put_back(environment)
            return outcome
        environment.close()
        if environment.overdue():
            self._note(f"{name} Task timed out after {self._functions[name].timeout:.2f} seconds")
            return Failure("the time ran out", timed_out=True)
        self._note(f"{name} The process ended during an invocation")
        return Failure("the process ended")

    def warm(self, name: str) -> bool:
        """Start an environment of function ``name`` ahead of the first event. False: its import failed."""
        environment = self._take(name)
        if environment is not None:
            self._put_back(environment)
        return environment is not None

    def renew(self) -> None:
        """Let every later event meet a new environment, and so the code as it is now."""
        with self._lock:
            self._generation += 1
            for environment in self._idle:
                environment.close()
            self._idle.clear()

    def close(self) -> None:
        """End every environment, busy ones too, and the nursery."""
        with self._lock:
            self._closed = True
            for environment in self._idle:
                environment.close()
            self._idle.clear()
            self._control.close()
        try:
            self._nursery.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._nursery.kill()
            self._nursery.wait()
        self._log.close()

    def _take(self, name: str) -> "_Environment | None":
        with self._lock:
            for environment in reversed(self._idle):
                if environment.name == name:
                    self._idle.remove(environment)
                    if environment.alive():
                        return environment
                    environment.close()
            ours, theirs = socket.socketpair()
            # One byte a request: the nursery takes exactly one byte and the one descriptor that came with it. Should
            # the nursery be gone, the start below fails, for the other end is closed.
            with theirs, contextlib.suppress(OSError):
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
            generation = self._generation
        environment = _Environment(self._functions[name], ours, generation)
        if environment.start():
            return environment
        environment.close()
        self._note(f"{name} The import of its handler failed")
        return None

    def _put_back(self, environment: "_Environment") -> None:
        with self._lock:
            if environment.generation != self._generation:
                environment.close()
                return
            self._idle.append(environment)
            surplus = len(self._idle) - (0 if self._closed else self._most)
            dropped = [self._idle.pop(0) for _ in range(surplus)]
        for oldest in dropped:
            oldest.close()

    def _note(self, line: str) -> None:
        if not self._log.closed:
            self._log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {line}\n")


class _Environment:
    """The server's end of one execution environment."""

    def __init__(self, function: Function, link: socket.socket, generation: int) -> None:
        self.name = function.name
        self.generation = generation
        self._function = function
        self._link = link
        self._started = 0.0

    def start(self) -> bool:
        """Wait until the handler is imported. False: it failed, and the process is gone."""
        self._link.settimeout(self._function.init_limit + 5)
        try:
            send(self._link, json.dumps(asdict(self._function)).encode())
            return receive(self._link) is not None
        except OSError:
            return False

    def run(self, request: bytes) -> Answer | Failure | None:
        """Send one event and wait for what comes of it. None: nothing did, and the environment is of no more use."""
        # The environment cuts itself off in time; the server's own limit is for one that was frozen from outside.
        self._link.settimeout(self._function.timeout + 5)
        self._started = time.monotonic()
        try:
            send(self._link, request)
            reply = receive(self._link)
        except OSError:
            return None
        if reply is None:
            return None
        content = json.loads(reply[1:])
        return Answer(content) if reply[:1] == ANSWER else Failure(content)

    def overdue(self) -> bool:
        """Tell whether the time limit has passed since the last event was sent."""
        return time.monotonic() - self._started >= self._function.timeout

    def alive(self) -> bool:
        """Tell whether the process still holds the other end. Only meaningful between invocations."""
        self._link.setblocking(False)
        try:
            return self._link.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close the connection; the process ends as soon as it notices."""
        self._link.close()
