"""The trial of a mutant: the tests that reach the function it changes are run, until one fails.

A process in which all tests are collected forks for each mutant, puts the changed code into the functions that are
there, and runs the tests, so a mutant costs little more than they take. A change of what runs when a module is imported
is made in a process that has not imported it yet.
"""

import ast
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import multiprocessing
import os
import resource
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final, NamedTuple

import boto3
import pytest
from moto import mock_aws

from support.mutation import Mutant, mutants_of
from support.reach import LAYER, OPTIONS, Monitor, Reach

CHILD: Final = (*OPTIONS, "-p", "no:cacheprovider", "--hypothesis-profile=mutants", "-W", "ignore:Module already")
MEMORY_MAX: Final = 6 << 30

SURVIVED: Final = ""
"""The outcome of a mutant that no test noticed. Another is the name of the first test that did."""
TIMEOUT: Final = "time"
IMPORT: Final = "import"


class Module(NamedTuple):
    """A module of the layer: its path within it, and its mutants."""

    path: str
    tree: ast.Module
    mutants: Sequence[Mutant]

    @property
    def file(self) -> Path:
        """The module's file."""
        return LAYER / self.path

    @property
    def name(self) -> str:
        """The name by which it is imported."""
        return ".".join(("personas", *Path(self.path).with_suffix("").parts))

    def changed_code(self, mutant: Mutant) -> CodeType:
        """Return the code of the module with a mutant in it, in whose tree the mutant then stays."""
        mutant.apply()
        return compile(self.tree, str(self.file), "exec", dont_inherit=True)


def read_module(file: Path) -> Module:
    """Return a module of the layer."""
    tree = ast.parse(file.read_bytes())
    return Module(file.relative_to(LAYER).as_posix(), tree, mutants_of(tree))


class Trial(NamedTuple):
    """A mutant with the tests that are to notice it, the fastest first, out of as many as ``reaching``."""

    module: Module
    mutant: Mutant
    tests: Sequence[Reach]
    reaching: int

    @property
    def seconds_max(self) -> float:
        """The time after which a mutant counts as one that never ends."""
        return 10 + 5 * sum(each.seconds for each in self.tests)

    def note(self, outcome: str, results: Path) -> None:
        """Add the outcome to the file of results."""
        tests = [len(self.tests), self.reaching]
        line = {"module": self.module.path, "mutant": self.mutant.name, "outcome": outcome, "tests": tests}
        with results.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")


def in_fork[T](work: Callable[[], T], seconds: float | None = None) -> T | None:
    """Return the result of ``work`` in a process of its own, or None where it takes longer, or is ended by a signal.

    Raises:
        RuntimeError: it ended without a result.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        os.setpgrp()  # and no session, which would have a share of the processor of its own
        sender.send(work())

    process = context.Process(target=run)
    process.start()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(seconds) else None
    except EOFError:
        process.join()
        if process.exitcode == 1:
            raise RuntimeError("a process ended by an error of its own") from None
        return None
    finally:
        if seconds is not None and process.pid:
            with suppress(ProcessLookupError):  # it ended before it had a group of its own
                os.killpg(process.pid, signal.SIGKILL)
        process.join()
        receiver.close()


def quietly() -> None:
    """Let this process print nothing, and take no more memory than a mutant may."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))


class Failures:
    """A pytest plugin that keeps the names of the tests that failed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @property
    def first(self) -> str:
        """The first of them, or the outcome of a mutant that survived."""
        return self.names[0] if self.names else SURVIVED

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in the report of a test."""
        if report.failed:
            self.names.append(report.nodeid)


class Collected(Failures):
    """A pytest plugin that tries mutants of functions instead of running the tests that it has collected.

    A mutant of a function that ran before the tests did, or that nobody holds, is left for a new import.
    """

    def __init__(self, trials: Sequence[Trial], results: Path) -> None:
        super().__init__()
        self._trials = trials
        self._results = results
        self._monitor = Monitor()
        self.left: list[int] = []
        """The positions of the trials that are left."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the mutants, each in a fork of this process."""
        for name in {trial.module.name for trial in self._trials}:
            import_module(name)  # a handler imports some when it is first called
        ran = frozenset(self._monitor.take())
        self._monitor.stop()
        _warm_up()
        held: defaultdict[str, list[FunctionType]] = defaultdict(list)
        gc.unfreeze()  # what is frozen is not among the objects
        for each in gc.get_objects():
            if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(f"{LAYER}/"):
                held[each.__code__.co_filename].append(each)
        if not held:
            raise RuntimeError("the collector holds no function of the layer")
        gc.freeze()  # else the collector of every process goes through all of this, and gets a copy of it
        items = {item.nodeid: item for item in session.items}
        for position, trial in enumerate(self._trials):
            place = trial.mutant.place
            functions = [each for each in held[str(trial.module.file)] if _is_within(each, place)]
            made = any("<locals>" in each.__code__.co_qualname for each in functions)
            if f"{trial.module.path}:{place}" in ran or made or not functions:
                self.left.append(position)
                continue
            chosen = [items[test.test] for test in trial.tests if test.test in items]
            outcome = in_fork(partial(self._try, trial, functions, chosen), trial.seconds_max)
            if outcome == IMPORT:
                self.left.append(position)
            else:
                trial.note(TIMEOUT if outcome is None else outcome, self._results)
        return True

    def _try(self, trial: Trial, functions: Sequence[FunctionType], items: Sequence[pytest.Item]) -> str:
        quietly()
        codes = {
            (code.co_qualname, code.co_firstlineno): code for code in _codes(trial.module.changed_code(trial.mutant))
        }
        for function in functions:
            try:
                function.__code__ = codes[function.__code__.co_qualname, function.__code__.co_firstlineno]
            except ValueError:  # it refers to other variables around it than before
                return IMPORT
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.first:
                break
        return self.first


def _warm_up() -> None:
    """Have moto read its descriptions of AWS, which else each fork would read; of the layer nothing runs."""
    with mock_aws():
        boto3.client("dynamodb", region_name="us-east-1").list_tables()
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="warm")
        boto3.client("sqs", region_name="us-east-1").create_queue(QueueName="warm")


def _is_within(function: FunctionType, place: str) -> bool:
    return function.__code__.co_qualname.partition(".<locals>")[0] == place


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


class Loader(importlib.machinery.SourceFileLoader):
    """A loader of a module whose code has been changed."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        """Return the changed code."""
        return self._code


class Finder(importlib.abc.MetaPathFinder):
    """The way to one module through a loader of its own."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the module's specification, and of any other nothing."""
        loader = self._loader
        return (
            importlib.util.spec_from_file_location(fullname, loader.path, loader=loader)
            if fullname == loader.name
            else None
        )


class Chosen(Failures):
    """A pytest plugin that runs some tests alone, in their order, until one fails."""

    def __init__(self, tests: Sequence[Reach]) -> None:
        super().__init__()
        self._order = {each.test: position for position, each in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the tests that are to run."""
        items[:] = sorted(
            (each for each in items if each.nodeid in self._order), key=lambda each: self._order[each.nodeid]
        )


def try_import(trial: Trial) -> str:
    """Return the outcome of a mutant in this process, which must not have imported its module yet."""
    quietly()
    module, chosen = trial.module, Chosen(trial.tests)
    if module.name in sys.modules:
        raise RuntimeError(f"{module.name} is there already, unchanged")
    sys.meta_path.insert(0, Finder(Loader(module.name, str(module.file), module.changed_code(trial.mutant))))
    status = pytest.main([*CHILD, "-x", *sorted({each.file for each in trial.tests})], plugins=[chosen])
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise RuntimeError(f"none of its tests is there: {trial.mutant.name}")
    return SURVIVED if status == pytest.ExitCode.OK else chosen.first or IMPORT


def run(trials: Sequence[Trial], results: Path) -> None:
    """Try mutants and add their outcomes to the file of results."""
    reached = [trial for trial in trials if trial.tests]
    for trial in trials:
        if not trial.tests:
            trial.note(SURVIVED, results)
    files = sorted({each.file for trial in reached for each in trial.tests})
    inside = [trial for trial in reached if trial.mutant.place]

    def collected() -> list[int]:
        plugin = Collected(inside, results)
        status = pytest.main([*CHILD, *files], plugins=[plugin])
        if status != pytest.ExitCode.OK:
            raise RuntimeError(f"the tests cannot be collected: {status!r}")
        return plugin.left

    left = in_fork(collected) or [] if inside else []
    for trial in [*(inside[position] for position in left), *(each for each in reached if not each.mutant.place)]:
        outcome = in_fork(partial(try_import, trial), trial.seconds_max + 30)
        trial.note(TIMEOUT if outcome is None else outcome, results)


def failing(tests: Sequence[Reach]) -> list[str]:
    """Return those of the tests that fail without any mutant."""

    def run_them() -> list[str]:
        quietly()
        chosen = Chosen(tests)
        pytest.main([*CHILD, *sorted({each.file for each in tests})], plugins=[chosen])
        return chosen.names

    return (in_fork(run_them) or []) if tests else []
