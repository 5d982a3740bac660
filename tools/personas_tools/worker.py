"""Execution environments as Lambda has them: processes that hold one function each and run one event at a time.

A nursery process imports the libraries once and forks an environment from that state, so that a cold start costs a
tenth of a second and the libraries' memory is shared. The nursery has no threads, which is what makes forking safe;
the server, which has many, never forks. Server and environment talk JSON over a socket pair, one length-prefixed
frame each way. An environment enforces its function's time limit on itself, by an alarm whose default action is to
end the process; the nursery, being the parent, can end all of them without ever meeting a foreign process id.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

type Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
type LambdaHandler = Callable[[Json, "LambdaContext"], Json]

PAYLOAD_LIMIT: Final = 6 * 1024 * 1024 + 100
"""Bytes that Lambda takes as an event, and as an answer, of a synchronous call."""
INIT_LIMIT: Final = 30.0
"""Seconds for an import. Lambda gives 10; a busy laptop may need more, and no client waits for it."""
LIBRARIES: Final = ("boto3", "jwt", "pydantic", "aws_lambda_powertools.event_handler")
"""What the nursery imports before it forks: none of it reads the function's environment when imported."""

_ANSWER: Final = b"A"
_FAILURE: Final = b"F"
_HEADER: Final = struct.Struct("!I")
_TOOLS: Final = str(Path(__file__).resolve().parents[1])


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


@dataclass(frozen=True)
class Answer:
    """What a handler returned."""

    payload: Json


@dataclass(frozen=True)
class Failure:
    """Why there is no answer: the handler raised, its time ran out, the event was too large, or its process died."""

    reason: str
    timed_out: bool = False
    too_large: bool = False


class LambdaContext:
    """The second argument of a handler, with what Lambda's own object offers to Python."""

    identity: None = None
    client_context: None = None

    def __init__(self, function: Function, aws_request_id: str, ends: float) -> None:
        self.function_name = function.name
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = str(function.memory)
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function.name}"
        self.aws_request_id = aws_request_id
        self.log_group_name = f"/aws/lambda/{function.name}"
        self.log_stream_name = f"local/[$LATEST]{os.getpid()}"
        self._ends = ends

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until this invocation is cut off."""
        return max(0, int((self._ends - time.monotonic()) * 1000))


class Workers:
    """All execution environments of a stack; `invoke` may be called from any number of threads.

    An idle environment of the function is used again, else a new one is started. The caller keeps to ``parallel``
    invocations at a time; so many idle environments are kept and one a function more, those used last.
    """

    def __init__(
        self, functions: Sequence[Function], log: Path, parallel: int = 8, libraries: Sequence[str] = LIBRARIES
    ) -> None:
        self.parallel = parallel
        self._functions = {function.name: function for function in functions}
        self._most = len(functions) + parallel
        self._idle: list[_Environment] = []
        self._lock = threading.Lock()
        self._closed = False
        self._generation = 0
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("w", encoding="utf-8", buffering=1)
        self._control, theirs = socket.socketpair()
        with theirs:
            self._nursery = subprocess.Popen(  # noqa: S603 - this module, in this interpreter
                [sys.executable, "-P", "-m", "personas_tools.worker", str(theirs.fileno()), *libraries],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=_inherited() | {"PYTHONPATH": _TOOLS, "PYTHONUNBUFFERED": "1"},
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
        self._link.settimeout(INIT_LIMIT + 5)
        try:
            _send(self._link, json.dumps(asdict(self._function)).encode())
            return _receive(self._link) is not None
        except OSError:
            return False

    def run(self, request: bytes) -> Answer | Failure | None:
        """Send one event and wait for what comes of it. None: nothing did, and the environment is of no more use."""
        # The environment cuts itself off in time; the server's own limit is for one that was frozen from outside.
        self._link.settimeout(self._function.timeout + 5)
        self._started = time.monotonic()
        try:
            _send(self._link, request)
            reply = _receive(self._link)
        except OSError:
            return None
        if reply is None:
            return None
        content = json.loads(reply[1:])
        return Answer(content) if reply[:1] == _ANSWER else Failure(content)

    def overdue(self) -> bool:
        """Whether the time limit has passed since the last event was sent."""
        return time.monotonic() - self._started >= self._function.timeout

    def alive(self) -> bool:
        """Whether the process still holds the other end. Only meaningful between invocations."""
        self._link.setblocking(False)
        try:
            return self._link.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Hang up; the process ends as soon as it notices."""
        self._link.close()


def _inherited() -> dict[str, str]:
    """What the processes below keep of the caller's environment: nothing of AWS, Python or proxies."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _send(link: socket.socket, data: bytes) -> None:
    link.sendall(_HEADER.pack(len(data)) + data)


def _receive(link: socket.socket) -> bytes | None:
    """The next frame, or None when the other side has hung up."""
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


# What follows runs in the nursery and in the environments that it forks.


def _nursery(control: socket.socket, libraries: Sequence[str]) -> socket.socket:
    """Fork a child for every socket that arrives; only the children return, each with its socket.

    The nursery itself ends, and all children with it, when the server hangs up, in whatever way that ended.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a terminal sends these to all; the server decides
        signal.signal(signum, signal.SIG_IGN)
    for library in libraries:
        with contextlib.suppress(ImportError):  # a stack without it does without it
            importlib.import_module(library)
    gc.freeze()  # what is shared now stays shared: the collector would write to every page
    children: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            break
        link = socket.socket(fileno=descriptors[0])
        child = os.fork()
        if child == 0:
            control.close()
            return link
        link.close()
        children.add(child)
        children -= {ended for ended in children if os.waitpid(ended, os.WNOHANG)[0] == ended}
    for child in children:
        os.kill(child, signal.SIGKILL)  # not yet waited for, so the id is still this child's
    for child in children:
        os.waitpid(child, 0)
    sys.exit(0)


def _environment(link: socket.socket) -> None:
    """Become the function that the first frame describes, then answer events until the server hangs up."""
    with contextlib.suppress(ConnectionError):  # the server has gone; there is nobody to tell
        first = _receive(link)
        if first is None:
            return
        function = Function(**json.loads(first))
        signal.setitimer(signal.ITIMER_REAL, INIT_LIMIT)
        handler = _load(function)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(link, b"ready")
        while (request := _receive(link)) is not None:
            _send(link, _run(function, handler, json.loads(request)))


def _load(function: Function) -> LambdaHandler:
    environment = _inherited() | dict(function.environment)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.path[:] = [function.code, *function.layers, *(path for path in sys.path if path != _TOOLS)]
    module, _, attribute = function.handler.rpartition(".")
    handler: LambdaHandler = getattr(importlib.import_module(module), attribute)
    return handler


def _run(function: Function, handler: LambdaHandler, event: Json) -> bytes:
    context = LambdaContext(function, str(uuid.uuid4()), time.monotonic() + function.timeout)
    signal.setitimer(signal.ITIMER_REAL, function.timeout)
    try:
        # An answer travels as JSON, as in Lambda: what JSON cannot carry is the handler's fault.
        answer = json.dumps(handler(event, context), ensure_ascii=False).encode()
        if len(answer) <= PAYLOAD_LIMIT:
            return _ANSWER + answer
        reason = "the answer is larger than Lambda takes"
    except Exception as error:  # noqa: BLE001 - the boundary: as in Lambda, any error of a handler becomes a failure
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return _FAILURE + json.dumps(reason).encode()


if __name__ == "__main__":
    _environment(_nursery(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]))
