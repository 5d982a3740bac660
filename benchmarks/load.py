"""Load on the local service, from one client to many, and a soak that judges memory and open files.

    .venv/bin/python benchmarks/load.py                 # 1 to 32 clients, 15 s each, through `make run`'s gateway
    .venv/bin/python benchmarks/load.py --soak 20       # and then 20 minutes of 8 clients
    .venv/bin/python benchmarks/load.py --runtime       # the same against the built functions in the runtime emulator

The mix is 70 % get and search, 20 % draft patches and 10 % writes: creates, updates and as many deletes, so that the
library stays as large as it was. Everything runs on this machine: functions, gateway, emulator and clients share its
cores, so throughput says little about AWS. Two results carry over: the CPU time of the function processes per request,
and the growth of their size, or its absence. The program fails if they grow.
"""

import contextlib
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from statistics import quantiles
from threading import Thread
from types import FrameType
from typing import Any, Final, NoReturn, Protocol, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import click
from built_functions import serving_built
from footprint import FUNCTIONS, Process, cpu_between, family, growth, still, sums
from library import Library

from personas.runtime import FEED_WINDOW
from support.server import Session, demo_key, serving

PERSONAS: Final = 300
LEVELS: Final = (1, 2, 4, 8, 16, 32)
WARM_SECONDS: Final = 4.0
"""All clients of a level call for so long before anything is counted: their functions are started in it."""
SOAK_CLIENTS: Final = 8
SAMPLE_SECONDS: Final = 10.0
"""Between two looks at the processes in a soak. A minute has six, so that a short soak can be judged as well."""
OWN_MAX: Final = 3
"""Personas that a client has created and not yet deleted."""
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MIX: Final[Mapping[str, int]] = {"get": 35, "search": 35, "draft": 20, "create": 4, "update": 3, "delete": 3}


class Caller(Protocol):
    """One client of the service, as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def call(self, operation: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return the status and body of an answer; ``_`` in a header's name stands for a hyphen."""
        ...


type Connect = Callable[[], Caller]
"""Makes another client."""


@dataclass
class Told:
    """The results of a client: seconds by operation, and the number of each failure of an operation."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def times(self) -> list[float]:
        """The seconds of all calls."""
        return [each for times in list(self.seconds.values()) for each in times]

    def failed(self) -> str:
        """Return the failures by kind."""
        return ", ".join(f"{number} × {name} {kind}" for (name, kind), number in self.failures.most_common()) or "0"


class Author:
    """A client: its own draft, its own personas to write, and those of the library to read."""

    def __init__(self, number: int, connect: Connect, library: list[str], mix: Mapping[str, int] = MIX) -> None:
        self._chance = random.Random(number)
        self._number = number
        self._session = connect()
        self._library = library
        self._mix = mix
        self._own: list[str] = []
        self._draft: str | None = None
        self._version = 0
        self._edits = 0

    def work(self, until: float, told: Told) -> None:
        """Call after call, until then."""
        operations, weights = list(self._mix), list(self._mix.values())
        with self._session as session:
            while time.monotonic() < until:
                (operation,) = self._chance.choices(operations, weights)
                if operation in {"update", "delete"} and not self._own:
                    operation = "create"
                if operation == "create" and len(self._own) >= OWN_MAX:
                    operation = "delete"
                body = self._body(operation)
                began = time.monotonic()
                try:
                    status, answer = session.call(operation, body, Accept_Encoding="gzip")
                except (OSError, HTTPException, ValueError) as error:
                    told.failures[operation, type(error).__name__] += 1
                    session.__exit__()  # a connection in the middle of an answer is of no more use
                    continue
                told.seconds[operation].append(time.monotonic() - began)
                if status == HTTPStatus.OK:
                    self._learn(operation, answer)
                else:
                    told.failures[operation, f"{status} {answer.get('code') or answer.get('message', '')}"] += 1

    def _body(self, operation: str) -> dict[str, object]:
        self._edits += 1
        match operation:
            case "get":
                return {"persona_id": self._chance.choice(self._library)}
            case "search":
                return {"search": self._chance.choice(("", "number", f"number {self._chance.randrange(PERSONAS)}"))}
            case "draft":
                held = {"input_draft_id": self._draft, "expected_version": self._version} if self._draft else {}
                return {**held, "description": f"Edit {self._edits % 50} of client {self._number}"}
            case "create":
                return {"personas": [persona(f"Load {self._number}-{self._edits}", self._edits % 50)]}
            case "update":
                changed = {"persona_id": self._own[0], "description": f"Change {self._edits % 50} of {self._number}"}
                return {"personas": [changed]}
        return {"persona_ids": [self._own[0]]}

    def _learn(self, operation: str, answer: dict[str, object]) -> None:
        match operation:
            case "draft":
                self._draft, self._version = str(answer["draft_id"]), int(str(answer["new_version"]))
            case "create":
                self._own += ids_in(answer)
            case "delete":
                self._own.pop(0)


def persona(name: str, number: int) -> dict[str, object]:
    """Return a persona by value, for the demo's library."""
    return {
        "name": name,
        "description": f"Number {number} is impatient and wants the refund today.",
        # Made-up words, since gzip makes next to nothing of one letter again and again.
        "instructions": " ".join(random.Random(number).choices(WORDS, k=250)),
        "color_id": COLOR_AND_ICON[0],
        "icon_id": COLOR_AND_ICON[1],
    }


WORDS: Final = Library(1).words
COLOR_AND_ICON: list[str] = []


def ids_in(answer: dict[str, object]) -> list[str]:
    """Return the ids of the personas that a bulk call has saved."""
    results = answer["results"]
    if not isinstance(results, list):
        raise TypeError("no results")
    return [each["persona_id"] for each in results]


def fill(connect: Connect) -> list[str]:
    """Create the library; its ids."""
    with connect() as session:
        _, form = session.call("get", {})
        COLOR_AND_ICON[:] = [form["colors"]["resources"][0]["id"], form["icons"]["resources"][0]["id"]]
        ids: list[str] = []
        for start in range(0, PERSONAS, 100):
            some = [persona(f"Persona {number:04d}", number) for number in range(start, start + 100)]
            status, answer = session.call("create", {"personas": some})
            if status != HTTPStatus.OK:
                raise RuntimeError(answer)
            ids += ids_in(answer)
        # Until the window of the change feed has passed over them, every search would read all of them again.
        time.sleep(FEED_WINDOW.total_seconds())
        session.call("refresh", {})
    return ids


# ---- Measuring ------------------------------------------------------------------------------------------------------


def begun(authors: list[Author], until: float) -> tuple[list[Thread], list[Told]]:
    """Have all clients work at once, in daemons: nothing waits for them when the program is interrupted."""
    tolds = [Told() for _ in authors]
    threads = [
        Thread(target=author.work, args=(until, told), daemon=True) for author, told in zip(authors, tolds, strict=True)
    ]
    for thread in threads:
        thread.start()
    return threads, tolds


def whole(tolds: list[Told]) -> Told:
    """Return the results of all clients together."""
    result = Told()
    for told in tolds:
        result.failures += told.failures
        for operation, times in list(told.seconds.items()):
            result.seconds[operation] += times
    return result


def loaded(authors: list[Author], seconds: float) -> Told:
    """Run so many clients for that time, and return their results together."""
    threads, tolds = begun(authors, time.monotonic() + seconds)
    for thread in threads:
        thread.join()
    return whole(tolds)


def percentile(times: list[float], share: int) -> float:
    """Return a percentile in milliseconds."""
    return quantiles(times, n=100)[share - 1] * 1000 if len(times) > 1 else times[0] * 1000


def levels(connect: Connect, library: list[str], seconds: float) -> None:
    """Print a row for each number of clients, and then the operations at eight.

    "Started" are function processes that were not there before: if there are any, their start is in the CPU time.
    """
    roles = list(sums(family()))
    print(
        f"{PERSONAS} personas beside the demo's; {seconds:.0f} s a level after {WARM_SECONDS:.0f} s to warm up;"
        f" load average before {Path('/proc/loadavg').read_text()}"
    )
    print(f"| clients | calls a second | p50 ms | p99 ms | failures | started | CPU ms a call: {' | '.join(roles)} |")
    print(f"| --- | --- | --- | --- | --- | --- |{' --- |' * len(roles)}")
    by_operation: dict[str, list[float]] = {}
    for clients in LEVELS:
        authors = [Author(1000 * clients + number, connect, library) for number in range(clients)]
        loaded(authors, WARM_SECONDS)
        before = family()
        began = time.monotonic()
        told = loaded(authors, seconds)
        took = time.monotonic() - began
        after = family()
        times = told.times
        started = sum(each.role == FUNCTIONS for each in after) - len(still(FUNCTIONS, before, after))
        cpu = " | ".join(f"{used * 1000 / len(times):.1f}" for used in cpu_between(before, after).values())
        print(
            f"| {clients} | {len(times) / took:.0f} | {percentile(times, 50):.1f} | {percentile(times, 99):.0f} |"
            f" {told.failed()} | {started} | {cpu} |",
            flush=True,
        )
        if clients == SOAK_CLIENTS:
            by_operation = told.seconds
    print(f"\n| at {SOAK_CLIENTS} clients | calls | p50 ms | p99 ms |\n| --- | --- | --- | --- |")
    for operation, times in sorted(by_operation.items()):
        print(f"| {operation} | {len(times)} | {percentile(times, 50):.1f} | {percentile(times, 99):.0f} |")


def soak(connect: Connect, library: list[str], minutes: float) -> bool:
    """Print sizes by the minute, and return True if the functions have kept theirs."""
    roles = list(sums(family()))
    print(f"\nSoak: {SOAK_CLIENTS} clients for {minutes:g} minutes")
    print(f"| minute | calls | failures | {' | '.join(f'{role}: MB, files, processes' for role in roles)} |")
    print(f"| --- | --- | --- |{' --- |' * len(roles)}", flush=True)
    authors = [Author(7_000_000 + number, connect, library) for number in range(SOAK_CLIENTS)]
    samples: list[list[Process]] = []
    began = time.monotonic()
    until = began + minutes * 60
    threads, tolds = begun(authors, until)
    printed = 0
    while (now := time.monotonic()) < until:
        time.sleep(min(SAMPLE_SECONDS, until - now))
        samples.append(family())
        minute = int((time.monotonic() - began + SAMPLE_SECONDS / 2) / 60)
        if minute > printed:
            printed, told, sizes = minute, whole(tolds), sums(samples[-1])
            cells = [
                f"{sizes[role].resident / 1e6:.0f}, {sizes[role].files}, {sizes[role].processes}" for role in roles
            ]
            failures = sum(told.failures.values())
            print(f"| {minute} | {len(told.times)} | {failures} | {' | '.join(cells)} |", flush=True)
    for thread in threads:
        thread.join()
    print(f"\nFailures: {whole(tolds).failed()}")
    print("The second half against the first, after a quarter to warm up:")
    for role in roles:
        if role != FUNCTIONS:
            print(f"* {growth(samples, role)} (not judged)")
    judged = growth(samples, FUNCTIONS)
    print(f"* {judged}")
    return judged.flat


@contextlib.contextmanager
def gateway() -> Iterator[Connect]:
    """Run the service as `make run` starts it, in a folder of its own, for a superadmin."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as (process, port):
        # Its log lines would fill the pipe, and then it would wait.
        if process.stdout is None:
            raise RuntimeError("the server has no output")
        reading = Thread(target=lambda out: [None for _ in out], args=(process.stdout,), daemon=True)
        reading.start()
        try:
            yield partial(Session, port, demo_key(Path(folder), "superadmin"))
        finally:
            process.terminate()
            process.wait(60)


def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    """End what was started, and let nothing interrupt that."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


@click.command()
@click.option("--seconds", default=15.0, show_default=True, help="How long each number of clients is tried; 0: not.")
@click.option("--soak", "minutes", default=0.0, help="Minutes of eight clients afterwards.")
@click.option("--runtime", is_flag=True, help="Call the built functions in the runtime emulator (make build-local).")
def main(seconds: float, minutes: float, runtime: bool) -> None:
    """Start the service in a folder of its own, load it, and print the tables; fails where functions grow."""
    if 0 < minutes < 1:
        raise click.UsageError("less than a minute says nothing of growth")
    for signum in ENDING:
        signal.signal(signum, interrupt)
    flat = True
    with serving_built([*MIX, "refresh"]) if runtime else gateway() as connect:
        library = fill(connect)
        if seconds:
            levels(connect, library, seconds)
        if minutes:
            flat = soak(connect, library, minutes)
    sys.exit(0 if flat else 1)


if __name__ == "__main__":
    main()
