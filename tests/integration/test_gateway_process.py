"""Processes of the local stack: execution environments in all their ends, and `personas serve` in its."""

import contextlib
import fcntl
import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest

from personas_tools.invocation import PAYLOAD_LIMIT, Answer, Failure, Function, Json
from personas_tools.reloading import Reloader
from personas_tools.workers import Workers
from support.server import serving

HANDLERS = {
    "echo": """
        import os
        calls = 0
        def lambda_handler(event, context):
            global calls
            calls += 1
            return {"event": event, "calls": calls, "pid": os.getpid(), "who": os.environ["WHO"],
                    "left": context.get_remaining_time_in_millis(), "name": context.function_name,
                    "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
                    "id": context.aws_request_id, "aws": sorted(n for n in os.environ if n.startswith("AWS"))}
    """,
    "sleep": """
        import os, time
        def lambda_handler(event, context):
            time.sleep(event)
            return os.getpid()
    """,
    "busy": """
        def lambda_handler(event, context):
            while True:
                pass
    """,
    "fail": """
        def lambda_handler(event, context):
            raise ValueError("no luck")
    """,
    "crash": """
        import os
        def lambda_handler(event, context):
            os.abort()
    """,
    "large": """
        def lambda_handler(event, context):
            return "x" * event
    """,
    "strange": """
        def lambda_handler(event, context):
            return {1, 2}
    """,
    "broken": "import no_such_module_anywhere",
}

type Start = Callable[..., Workers]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "functions.log"


@pytest.fixture
def start(tmp_path: Path, log: Path) -> Iterator[Start]:
    """Return a function that starts workers with the named handlers; they end with the test."""
    started: list[Workers] = []

    def _start(*names: str, timeout: float = 10.0, parallel: int = 4) -> Workers:
        functions = []
        for name in names:
            code = tmp_path / name
            code.mkdir()
            lines = HANDLERS[name].strip("\n").splitlines()
            indent = len(lines[0]) - len(lines[0].lstrip())
            (code / "handler.py").write_text("\n".join(line[indent:] for line in lines))
            functions.append(
                Function(name, str(code), (), "handler.lambda_handler", timeout, 256, {"WHO": name, "AWS_REGION": "x"})
            )
        started.append(Workers(functions, log, parallel, libraries=()))
        return started[-1]

    yield _start
    for workers in started:
        workers.close()


def _payload(outcome: Answer | Failure) -> dict[str, Json]:
    assert isinstance(outcome, Answer), outcome
    assert isinstance(outcome.payload, dict)
    return outcome.payload


def test_a_handler_sees_its_own_environment_and_the_context_of_lambda(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "the-developer")
    seen = _payload(start("echo").invoke("echo", {"a": [1, "ü"]}))
    assert seen["event"] == {"a": [1, "ü"]}
    assert seen["who"] == seen["name"] == "echo"
    assert seen["aws"] == ["AWS_REGION"]
    assert seen["memory"] == "256"
    assert seen["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:echo"
    assert isinstance(seen["left"], int)
    assert 9_000 < seen["left"] <= 10_000


def test_an_environment_is_used_again_and_each_invocation_has_its_own_id(start: Start) -> None:
    workers = start("echo")
    first, second = (_payload(workers.invoke("echo", None)) for _ in range(2))
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["pid"] == second["pid"] != os.getpid()
    assert first["id"] != second["id"]


def test_invocations_run_side_by_side_in_processes_of_their_own(start: Start) -> None:
    workers = start("sleep")
    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: workers.invoke("sleep", 0.5), range(4)))
    assert time.monotonic() - began < 1.6
    assert len({outcome.payload for outcome in outcomes if isinstance(outcome, Answer)}) == 4


@pytest.mark.parametrize("name", ["sleep", "busy"])
def test_past_its_time_a_function_is_ended_and_the_next_call_gets_a_new_process(
    start: Start, log: Path, name: str
) -> None:
    workers = start(name, "echo", timeout=0.4)
    before = _payload(workers.invoke("echo", None))
    outcome = workers.invoke(name, 30)
    assert isinstance(outcome, Failure)
    assert outcome.timed_out
    assert f"{name} Task timed out after 0.40 seconds" in log.read_text()
    assert _payload(workers.invoke("echo", None))["pid"] == before["pid"]
    if name == "sleep":
        assert isinstance(workers.invoke("sleep", 0), Answer)


def test_what_the_nursery_has_made_is_in_every_environment(tmp_path: Path, log: Path) -> None:
    # Given a layer that makes something of what the environments of two functions have alike,
    layer, code = tmp_path / "layer", tmp_path / "code"
    for folder in (layer, code):
        folder.mkdir()
    (layer / "made.py").write_text(
        "import os\nmade = []\ndef make():\n    made.extend((os.getpid(), os.environ['BOTH'], os.environ.get('ONE')))\n"
    )
    (code / "handler.py").write_text("import made\ndef lambda_handler(event, context):\n    return made.made\n")
    functions = [
        Function(each, str(code), (str(layer),), "handler.lambda_handler", 10, 256, {"BOTH": "alike", "ONE": each})
        for each in ("a", "b")
    ]
    # when the nursery is told to make it,
    workers = Workers(functions, log, libraries=("made:make",))
    with contextlib.closing(workers):
        first, second = workers.invoke("a", None), workers.invoke("b", None)
    # then both functions find it made, once.
    assert first == second
    assert isinstance(first, Answer)
    assert isinstance(first.payload, list)
    assert first.payload[1:] == ["alike", None]


def test_time_limits_count_each_invocation_anew(start: Start) -> None:
    workers = start("sleep", timeout=0.6)
    assert all(isinstance(workers.invoke("sleep", 0.35), Answer) for _ in range(3))


def test_an_error_keeps_the_environment_and_is_logged(start: Start, log: Path) -> None:
    workers = start("fail")
    outcome = workers.invoke("fail", None)
    assert outcome == Failure("ValueError: no luck")
    assert workers.invoke("fail", None) == outcome
    assert log.read_text().count("ValueError: no luck") == 2


def test_a_crash_is_a_failure_of_that_invocation_alone(start: Start) -> None:
    workers = start("crash", "echo")
    outcome = workers.invoke("crash", None)
    assert isinstance(outcome, Failure)
    assert not outcome.timed_out
    assert isinstance(workers.invoke("echo", None), Answer)


def test_an_idle_environment_that_died_is_replaced_before_it_gets_an_event(start: Start) -> None:
    workers = start("echo")
    pid = _payload(workers.invoke("echo", None))["pid"]
    assert isinstance(pid, int)
    os.kill(pid, 9)
    time.sleep(0.1)
    assert _payload(workers.invoke("echo", None))["pid"] != pid


def test_a_handler_that_cannot_be_imported_fails_each_call(start: Start, log: Path) -> None:
    workers = start("broken")
    assert not workers.warm("broken")
    assert isinstance(workers.invoke("broken", None), Failure)
    assert "no_such_module_anywhere" in log.read_text()


def test_payload_limits_and_answers_that_json_cannot_carry(start: Start) -> None:
    workers = start("large", "strange")
    too_large = workers.invoke("large", "x" * PAYLOAD_LIMIT)
    assert isinstance(too_large, Failure)
    assert too_large.too_large
    assert isinstance(workers.invoke("large", PAYLOAD_LIMIT - 100), Answer)
    assert isinstance(workers.invoke("large", PAYLOAD_LIMIT + 1), Failure)
    assert isinstance(workers.invoke("strange", None), Failure)


def test_closing_ends_busy_environments_too(start: Start, tmp_path: Path) -> None:
    workers = start("sleep", "echo", timeout=60)
    idle = _payload(workers.invoke("echo", None))["pid"]
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(workers.invoke, "sleep", 50)
        time.sleep(0.5)
        workers.close()
        assert isinstance(running.result(timeout=5), Failure)
    assert isinstance(idle, int)
    with pytest.raises(ProcessLookupError):
        os.kill(idle, 0)


def test_idle_environments_are_bounded(start: Start) -> None:
    workers = start("sleep", parallel=2)
    with ThreadPoolExecutor(6) as threads:
        outcomes = list(threads.map(lambda _: workers.invoke("sleep", 0.3), range(6)))
    pids = {outcome.payload for outcome in outcomes if isinstance(outcome, Answer)}
    time.sleep(0.2)
    assert len(pids) == 6
    assert sum(_runs(pid) for pid in pids if isinstance(pid, int)) == 3


def call(port: int, method: str, operation: str, folder: Path, body: dict[str, object]) -> dict[str, object]:
    key = json.loads((folder / "demo-keys.json").read_text())["instructional"]
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        headers = {"X-Api-Key": key, "Content-Type": "application/json"}
        connection.request(method, f"/api/v5/artifacts/personas/{operation}", json.dumps(body), headers)
        response = connection.getresponse()
        answer: dict[str, object] = json.loads(response.read())
        assert response.status == 200, answer
        return answer


def drafts(port: int, folder: Path) -> list[object]:
    found = call(port, "POST", "drafts", folder, {})["entries"]
    assert isinstance(found, list)
    return [draft["id"] for draft in found]


@pytest.mark.emulator
def test_what_was_acknowledged_outlives_the_kill_of_the_server_and_a_clean_stop(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, port):
        kept = call(port, "PATCH", "draft", tmp_path, {"name": "Kept"})["draft_id"]
        server.kill()
        server.wait()
    with serving(tmp_path) as (server, port):
        assert drafts(port, tmp_path) == [kept]
        with (
            pytest.raises(AssertionError, match=rf"Another process \(pid {server.pid}\) already runs"),
            serving(tmp_path),
        ):
            pass
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
        assert server.stdout is not None
        assert server.stdout.read().endswith("Stopped; the data is kept.\n")
    with serving(tmp_path) as (server, port):
        assert drafts(port, tmp_path) == [kept]
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=60) == 0
    # Nothing of it runs on: the locks that the processes held are free.
    for lock in ("owner.lock", "emulator.lock"):
        with (tmp_path / lock).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _runs(pid: int) -> bool:
    """Return True if the process runs, and does not merely wait to be collected by its parent."""
    try:
        return json.dumps(Path(f"/proc/{pid}/stat").read_text()).split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


class TestReload:
    def test_later_events_meet_the_code_as_it_is_now(self, start: Start, tmp_path: Path) -> None:
        # Given an environment that is warm, and another that is at work
        workers = start("echo", "sleep")
        before = _payload(workers.invoke("echo", None))["pid"]
        with ThreadPoolExecutor(1) as threads:
            busy = threads.submit(workers.invoke, "sleep", 1)
            # When its code changes
            (tmp_path / "echo" / "handler.py").write_text(
                "def lambda_handler(event, context):\n    return {'pid': 0}\n"
            )
            workers.renew()
            # Then the next event meets the new code, and what was at work ends by itself
            assert _payload(workers.invoke("echo", None)) == {"pid": 0}
            assert isinstance(busy.result(), Answer)
        assert before != 0

    def test_a_change_of_a_file_is_noticed_once(self, tmp_path: Path) -> None:
        # Given a folder that is watched
        (tmp_path / "handler.py").write_text("a = 1\n")
        renewed: Queue[None] = Queue()
        with Reloader([tmp_path], lambda: renewed.put(None), interval=0.01):
            # When one of its files changes
            (tmp_path / "handler.py").write_text("a = 22\n")
            renewed.get(timeout=30)
            # and one appears
            (tmp_path / "new.json").write_text("{}")
            renewed.get(timeout=30)
        # Then it noticed each, and no more
        assert renewed.empty()
