"""The built functions behind the local stack's routes, each in a few environments of the Lambda runtime emulator.

The code of the local gateway makes the events and reads the answers, as a client of the API sees them.
"""

import contextlib
import gzip
import http.client
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Empty, LifoQueue
from typing import IO, Any, Final
from uuid import uuid4

from runtime_emulator import BUILD, INVOCATIONS, emulated, process_environment, require

from personas_tools.background import Background
from personas_tools.demo import load_if_empty
from personas_tools.gateway import PATIENCE
from personas_tools.invocation import Answer, Failure, Function, Json
from personas_tools.payload import Request, Response, to_event, to_response
from personas_tools.stack import NAME, LocalStack, connected
from personas_tools.template import Route
from support.server import demo_key

ENVIRONMENTS: Final = 3
"""Of each function. An emulator runs one event at a time. Two cores, of which the store takes one, keep three busy
functions going at most, and an environment more of each is 80 MB that nobody uses."""
_SET_BY_RUNTIME: Final = {"_HANDLER", "LAMBDA_TASK_ROOT", "AWS_EXECUTION_ENV"}
_STARTS_AT_A_TIME: Final = 2


class Environments:
    """All environments; an `Invoker` of the gateway and of the background.

    The environment that was used last is used first, as in Lambda. A call waits if all of a function are busy.
    """

    def __init__(self, connections: Mapping[str, Sequence[http.client.HTTPConnection]]) -> None:
        self.parallel = sum(map(len, connections.values()))
        self._idle: dict[str, LifoQueue[http.client.HTTPConnection]] = {}
        for name, those in connections.items():
            self._idle[name] = LifoQueue()
            for connection in those:
                self._idle[name].put(connection)

    def invoke(self, name: str, event: Json) -> Answer | Failure:
        """Run function ``name`` on ``event`` and wait for its end."""
        try:
            connection = self._idle[name].get(timeout=PATIENCE)
        except Empty:
            return Failure("all environments are busy", timed_out=True)
        try:
            answer = _posted(connection, event)
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            return Failure(f"the emulator: {type(error).__name__}: {error}")
        finally:
            self._idle[name].put(connection)
        if isinstance(answer, dict) and "errorType" in answer:
            return Failure(f"{answer['errorType']}: {answer.get('errorMessage')}")
        return Answer(answer)


def _posted(connection: http.client.HTTPConnection, event: Json) -> Json:
    connection.request("POST", INVOCATIONS, json.dumps(event, ensure_ascii=False).encode())
    answer: Json = json.loads(connection.getresponse().read())
    return answer


class Session:
    """One client of the functions, as `support.server.Session` is one of a server."""

    def __init__(self, routes: Mapping[str, tuple[Route, str]], environments: Environments, key: str) -> None:
        self._routes = routes
        self._environments = environments
        self._headers = {
            "host": "127.0.0.1",
            "user-agent": "load",
            "x-api-key": key,
            "content-type": "application/json",
        }

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, operation: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return the status and body of an answer; ``_`` in a header's name stands for a hyphen."""
        route, function = self._routes[operation]
        more = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        request = Request(route.method, route.path, headers=self._headers | more, body=json.dumps(body or {}).encode())
        outcome = self._environments.invoke(function, to_event(request, route, {}, str(uuid4()), datetime.now(UTC)))
        if isinstance(outcome, Failure):
            return 503 if outcome.timed_out else 500, {"message": outcome.reason}
        return read(to_response(outcome.payload))


def read(response: Response) -> tuple[int, dict[str, Any]]:
    """Return the status and body of a response."""
    zipped = response.headers.get("content-encoding") == "gzip"
    answer = json.loads(gzip.decompress(response.body) if zipped else response.body)
    if not isinstance(answer, dict):
        raise TypeError("no object was answered")
    return response.status, answer


@contextlib.contextmanager
def serving_built(operations: Sequence[str]) -> Iterator[partial[Session]]:
    """Start the functions of these operations over a store of their own with the demo, and yield a maker of sessions.

    Schedules and queues run as in the local gateway, if they lead to one of these functions.
    """
    require()
    with tempfile.TemporaryDirectory() as name, connected(Path(name)) as stack, contextlib.ExitStack() as started:
        load_if_empty(stack)
        log = started.enter_context((Path(name) / "functions.log").open("wb"))
        routes = {route.path.rpartition("/")[2]: (route, function) for route, function in stack.routes.items()}
        wanted = {each: routes[each] for each in operations}
        functions = [each for each in stack.functions if each.name in {function for _, function in wanted.values()}]
        connections = {
            each.name: [started.enter_context(_environment(each, log)) for _ in range(ENVIRONMENTS)]
            for each in functions
        }
        # An environment starts its function with the first event, and what it makes of this one is of no interest.
        with ThreadPoolExecutor(_STARTS_AT_A_TIME) as threads:
            every = [connection for those in connections.values() for connection in those]
            list(threads.map(partial(_posted, event={"version": "2.0"}), every))
        environments = Environments(connections)
        started.enter_context(_background(stack, environments, set(connections)))
        yield partial(Session, wanted, environments, demo_key(Path(name), "superadmin"))


@contextlib.contextmanager
def _environment(function: Function, log: IO[bytes]) -> Iterator[http.client.HTTPConnection]:
    folder = BUILD / function.name.removeprefix(f"{NAME}-")
    own = {key: value for key, value in function.environment.items() if key not in _SET_BY_RUNTIME}
    environment = own | process_environment(folder) | {"AWS_LAMBDA_FUNCTION_TIMEOUT": f"{function.timeout:.0f}"}
    with (
        emulated(folder, environment, log.fileno()) as port,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection,
    ):
        yield connection


def _background(stack: LocalStack, environments: Environments, known: set[str]) -> Background:
    schedules = [each for each in stack.schedules if each.function in known]
    sources = [each for each in stack.queue_sources if each.function in known]
    return Background(stack.sqs(), environments, schedules, sources)
