"""The processes in which functions run: the nursery, and the execution environments that it forks.

An environment enforces its function's time limit on itself, by an alarm whose default action is to end the process;
the nursery, being the parent, can end all of them without ever meeting a foreign process id.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from personas_tools.invocation import (
    ANSWER,
    FAILURE,
    PAYLOAD_LIMIT,
    Function,
    Json,
    inherited,
    receive,
    send,
)

type LambdaHandler = Callable[[Json, "LambdaContext"], Json]

_TOOLS: Final = str(Path(__file__).resolve().parents[1])


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
        """Return the milliseconds until this invocation is cut off."""
        return max(0, int((self._ends - time.monotonic()) * 1000))


def _nursery(control: socket.socket, libraries: Sequence[str]) -> socket.socket:
    """Import the libraries, then fork a child for every socket; only the children return, each with its socket.

    A library is a module, or ``module:function`` to call the function as well.

    The nursery itself ends, and all children with it, when the server hangs up, in whatever way that ended.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a terminal sends these to all; the server decides
        signal.signal(signum, signal.SIG_IGN)
    for library in libraries:
        with contextlib.suppress(ImportError):  # a stack without it does without it
            module, _, maker = library.partition(":")
            imported = importlib.import_module(module)
            if maker:
                getattr(imported, maker)()
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
        first = receive(link)
        if first is None:
            return
        function = Function(**json.loads(first))
        signal.setitimer(signal.ITIMER_REAL, function.init_limit)
        handler = _load(function)
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(link, b"ready")
        while (request := receive(link)) is not None:
            send(link, _run(function, handler, json.loads(request)))


def _load(function: Function) -> LambdaHandler:
    environment = inherited() | dict(function.environment)
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
            return ANSWER + answer
        reason = "the answer is larger than Lambda takes"
    except Exception as error:  # noqa: BLE001 - the boundary: as in Lambda, any error of a handler becomes a failure
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return FAILURE + json.dumps(reason).encode()


if __name__ == "__main__":
    _environment(_nursery(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]))
