"""The code that each test reaches: a pytest plugin that writes it down, a file for each file of tests.

`-p support.reach` records it into the folder that REACH_FOLDER names.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[2]
LAYER: Final = ROOT / "layers" / "shared" / "personas"
LEFT_OUT: Final = (
    "not slow and not large and not built and not sam and not clients and not schemathesis and not emulator"
)
"""The tests that run the layer in their own process, in seconds, as an expression of markers."""
OPTIONS: Final = ("-q", "--no-header", "--no-summary", "--tb=no", "--capture=sys", "-m", LEFT_OUT)


class Monitor:
    """The functions of the layer that begin to run, from one call of `take` to the next."""

    def __init__(self) -> None:
        self._begun: set[str] = set()
        self._layer = f"{LAYER}/"
        sys.monitoring.use_tool_id(sys.monitoring.PROFILER_ID, "personas reach")
        sys.monitoring.register_callback(sys.monitoring.PROFILER_ID, sys.monitoring.events.PY_START, self._note)
        sys.monitoring.set_events(sys.monitoring.PROFILER_ID, sys.monitoring.events.PY_START)

    def take(self) -> list[str]:
        """Return the functions that have begun since the last call: module, colon, name of the outermost function."""
        begun, self._begun = self._begun, set()
        sys.monitoring.restart_events()
        return sorted(begun)

    def stop(self) -> None:
        """Note no more."""
        sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)
        sys.monitoring.register_callback(sys.monitoring.PROFILER_ID, sys.monitoring.events.PY_START, None)
        sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)

    def _note(self, code: CodeType, _: int) -> object:
        if code.co_filename.startswith(self._layer):
            function = code.co_qualname.partition(".<locals>")[0]
            self._begun.add(f"{code.co_filename.removeprefix(self._layer)}:{function}")
        return sys.monitoring.DISABLE


class Reach(NamedTuple):
    """A test that passed: how long it took, in seconds, and the functions that it called."""

    test: str
    seconds: float
    functions: frozenset[str]

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return self.test.partition("::")[0]


class Recorder:
    """The plugin, for one run of tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._monitor = Monitor()
        self._failed = False
        self._tests: dict[str, tuple[float, list[str]]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Note what a test calls, and write the file after the last test of one."""
        self._failed = False
        self._monitor.take()
        began = time.perf_counter()
        done = yield
        if not self._failed:
            self._tests[item.nodeid] = (round(time.perf_counter() - began, 4), self._monitor.take())
        if nextitem is None or nextitem.path != item.path:
            _write(self._folder, item.path, self._tests)
            self._tests = {}
        return done

    def pytest_sessionfinish(self) -> None:
        """Note no more: what ends an interpreter is no test."""
        self._monitor.stop()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Leave out a test that does not pass."""
        self._failed |= not report.passed


def pytest_configure(config: pytest.Config) -> None:
    """Record, but in the process that hands out tests to workers."""
    if not config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(os.environ["REACH_FOLDER"])))


def record(folder: Path, files: Sequence[Path], workers: int) -> None:
    """Run the files of tests of which there is no record, or one of another text, and record them.

    Raises:
        RuntimeError: they cannot be run at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [path for path in files if not _read(folder, path)]
    if missing:
        command = [sys.executable, "-m", "pytest", *OPTIONS, "-p", "support.reach"]
        command += ["--numprocesses", str(workers), "--dist", "loadfile", *map(str, missing)]
        ran = subprocess.run(command, cwd=ROOT, env={**os.environ, "REACH_FOLDER": str(folder)}, check=False)
        if ran.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}:
            raise RuntimeError(f"the tests cannot be recorded: {pytest.ExitCode(ran.returncode)!r}")
    for path in missing:
        if not _read(folder, path):  # a file of which no test runs here
            _write(folder, path, {})


def recorded(folder: Path, files: Sequence[Path]) -> list[Reach]:
    """Return the tests of these files, the fastest first."""
    found = [
        Reach(test, seconds, frozenset(functions))
        for path in files
        for test, (seconds, functions) in _read(folder, path)["tests"].items()
    ]
    return sorted(found, key=lambda each: each.seconds)


def _write(folder: Path, path: Path, tests: dict[str, tuple[float, list[str]]]) -> None:
    content = json.dumps({"digest": _digest(path), "tests": tests})
    (folder / _name(path)).write_text(content, encoding="utf-8")


def _read(folder: Path, path: Path) -> dict[str, Any]:
    """Return the record of a file of tests, or nothing if there is none of its present text."""
    try:
        content: dict[str, Any] = json.loads((folder / _name(path)).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content if content["digest"] == _digest(path) else {}


def _name(path: Path) -> str:
    return f"{path.parent.name}.{path.stem}.json"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
