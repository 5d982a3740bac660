# ruff: noqa: S311, T201  # Chance as in dice, not in keys; a program: what it prints is its result.
"""Load on the local service, from one client to many, and a soak that watches memory and open files.

    .venv/bin/python benchmarks/load.py                 # 1 to 32 clients, 15 s each
    .venv/bin/python benchmarks/load.py --soak 20       # and then 20 minutes of 8 clients

The mix is 70 % get and search, 20 % draft patches and 10 % writes: creates, updates and as many deletes, so that the
library stays as large as it was. Everything runs on this machine: functions, gateway, emulator and clients share its
cores, so throughput says little about AWS. What carries over is the CPU time of the function processes a request, and
whether they keep their size.
"""

import random
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from statistics import fmean, median, quantiles
from threading import Thread

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import click

from support.server import Session, demo_key, serving

PERSONAS = 300
LEVELS = (1, 2, 4, 8, 16, 32)
SOAK_CLIENTS = 8
OWN_MAX = 3
"""Personas that a client has created and not yet deleted."""
TICKS = 100
"""Of a second, in /proc: USER_HZ."""
PAGE = resource.getpagesize()
MIX = {"get": 35, "search": 35, "draft": 20, "create": 4, "update": 3, "delete": 3}


@dataclass
class Told:
    """What a client was told: seconds by operation, and how often each status but 200."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: Counter[tuple[str, int]] = field(default_factory=Counter)


class Author:
    """A client: its own draft, its own personas to write, and those of the library to read."""

    def __init__(self, number: int, port: int, key: str, library: list[str]) -> None:
        self._chance = random.Random(number)
        self._number = number
        self._session = Session(port, key)
        self._library = library
        self._own: list[str] = []
        self._draft: str | None = None
        self._version = 0
        self._edits = 0

    def work(self, until: float, told: Told) -> None:
        """Call after call, until then."""
        operations, weights = list(MIX), list(MIX.values())
        with self._session as session:
            while time.monotonic() < until:
                (operation,) = self._chance.choices(operations, weights)
                if operation in {"update", "delete"} and not self._own:
                    operation = "create"
                if operation == "create" and len(self._own) >= OWN_MAX:
                    operation = "delete"
                body = self._body(operation)
                began = time.monotonic()
                status, answer = session.call(operation, body)
                told.seconds[operation].append(time.monotonic() - began)
                if status == HTTPStatus.OK:
                    self._learn(operation, answer)
                else:
                    told.failures[operation, status] += 1

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
    """A persona by value, for the demo's library."""
    return {
        "name": name,
        "description": f"Number {number} is impatient and wants the refund today.",
        "instructions": f"{number} Stay polite but firm; ask for the order. ".ljust(1500, "x"),
        "color_id": COLOR_AND_ICON[0],
        "icon_id": COLOR_AND_ICON[1],
    }


COLOR_AND_ICON: list[str] = []


def ids_in(answer: dict[str, object]) -> list[str]:
    """The ids of what a bulk call has saved."""
    results = answer["results"]
    if not isinstance(results, list):
        raise TypeError("no results")
    return [each["persona_id"] for each in results]


# ---- The processes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    """A process of the service: CPU seconds, resident bytes, open files."""

    role: str
    cpu: float
    resident: int
    files: int


def processes(root: int) -> list[Process]:
    """The server process, its functions and its emulator."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return list(_described(family))


def _described(family: set[int]) -> Iterator[Process]:
    for pid in sorted(family):
        folder = Path("/proc") / str(pid)
        try:
            command = (folder / "cmdline").read_bytes().decode()
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            files = len(list((folder / "fd").iterdir()))
        except (FileNotFoundError, ProcessLookupError):
            continue
        role = "functions" if "personas_tools.worker" in command else "store" if "ministack" in command else "gateway"
        user, system, ended_user, ended_system = map(int, fields[11:15])
        yield Process(role, (user + system) / TICKS, int(fields[21]) * PAGE, files)
        if role == "gateway":
            # Functions that have idled too long are ended by the gateway, and what they took is counted there.
            yield Process("ended", (ended_user + ended_system) / TICKS, 0, 0)


def sums(found: list[Process]) -> dict[str, tuple[float, int, int, int]]:
    """By role: CPU seconds, resident bytes, open files, processes."""
    return {
        role: (
            sum(each.cpu for each in found if each.role == role or (role, each.role) == ("functions", "ended")),
            sum(each.resident for each in found if each.role == role),
            sum(each.files for each in found if each.role == role),
            sum(each.role == role for each in found),
        )
        for role in ("functions", "gateway", "store")
    }


# ---- Measuring ------------------------------------------------------------------------------------------------------


def loaded(authors: list[Author], seconds: float) -> Told:
    """What so many clients are told in that time, all together."""
    until = time.monotonic() + seconds
    tolds = [Told() for _ in authors]
    threads = [Thread(target=author.work, args=(until, told)) for author, told in zip(authors, tolds, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Told()
    for told in tolds:
        whole.failures += told.failures
        for operation, times in told.seconds.items():
            whole.seconds[operation] += times
    return whole


def percentile(times: list[float], share: int) -> float:
    """In milliseconds."""
    return quantiles(times, n=100)[share - 1] * 1000 if len(times) > 1 else times[0] * 1000


def fill(port: int, key: str) -> list[str]:
    """Create the library; its ids."""
    with Session(port, key) as session:
        _, form = session.call("get", {})
        COLOR_AND_ICON[:] = [form["colors"]["resources"][0]["id"], form["icons"]["resources"][0]["id"]]
        ids: list[str] = []
        for start in range(0, PERSONAS, 100):
            some = [persona(f"Persona {number:04d}", number) for number in range(start, start + 100)]
            status, answer = session.call("create", {"personas": some})
            if status != HTTPStatus.OK:
                raise RuntimeError(answer)
            ids += ids_in(answer)
        session.call("refresh", {})
    return ids


def levels(pid: int, port: int, key: str, library: list[str], seconds: float) -> None:
    """A row for each number of clients, and then the operations at eight."""
    print(
        f"{PERSONAS} personas beside the demo's; {seconds:.0f} s a level;"
        f" load average before {Path('/proc/loadavg').read_text()}"
    )
    print("| clients | calls a second | p50 ms | p99 ms | failures | CPU ms a call: service | store |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    by_operation: dict[str, list[float]] = {}
    for clients in LEVELS:
        authors = [Author(1000 * clients + number, port, key, library) for number in range(clients)]
        loaded(authors[:1], 0.1)
        authors = [Author(1000 * clients + number, port, key, library) for number in range(clients)]
        before = sums(processes(pid))
        began = time.monotonic()
        told = loaded(authors, seconds)
        took = time.monotonic() - began
        after = sums(processes(pid))
        times = [each for operation in told.seconds.values() for each in operation]
        cpu = {role: (after[role][0] - before[role][0]) * 1000 / len(times) for role in after}
        failures = ", ".join(f"{number} × {name} {status}" for (name, status), number in told.failures.items()) or "0"
        print(
            f"| {clients} | {len(times) / took:.0f} | {percentile(times, 50):.1f} | {percentile(times, 99):.0f} |"
            f" {failures} | {cpu['functions'] + cpu['gateway']:.1f} | {cpu['store']:.1f} |"
        )
        if clients == SOAK_CLIENTS:
            by_operation = told.seconds
    print(f"\n| at {SOAK_CLIENTS} clients | calls | p50 ms | p99 ms |\n| --- | --- | --- | --- |")
    for operation, times in sorted(by_operation.items()):
        print(f"| {operation} | {len(times)} | {percentile(times, 50):.1f} | {percentile(times, 99):.0f} |")


def soak(pid: int, port: int, key: str, library: list[str], minutes: float) -> None:
    """Sizes by the minute, and what became of them."""
    print(f"\nSoak: {SOAK_CLIENTS} clients for {minutes:.0f} minutes")
    print("| minute | calls | failures | functions MB, files, processes | gateway MB, files | store MB, files |")
    print("| --- | --- | --- | --- | --- | --- |")
    authors = [Author(7_000_000 + number, port, key, library) for number in range(SOAK_CLIENTS)]
    samples: list[dict[str, tuple[float, int, int, int]]] = []
    told = Told()
    until = time.monotonic() + minutes * 60
    threads = [Thread(target=author.work, args=(until, told)) for author in authors]
    for thread in threads:
        thread.start()
    minute = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(60, max(0.5, until - time.monotonic())))
        minute += 1
        sizes = sums(processes(pid))
        samples.append(sizes)
        calls = sum(map(len, told.seconds.values()))
        cells = " | ".join(
            f"{sizes[role][1] / 1e6:.0f}, {sizes[role][2]}" + (f", {sizes[role][3]}" if role == "functions" else "")
            for role in sizes
        )
        print(f"| {minute} | {calls} | {sum(told.failures.values())} | {cells} |", flush=True)
    for thread in threads:
        thread.join()
    # The first quarter warms up: caches fill, and functions of every kind are started.
    rest = samples[len(samples) // 4 :]
    half = len(rest) // 2
    for role in ("functions", "gateway"):
        early, late = (fmean(each[role][1] for each in part) for part in (rest[:half], rest[half:]))
        files = [median(each[role][2] for each in part) for part in (rest[:half], rest[half:])]
        print(f"{role}: {(late / early - 1):+.1%} memory, {files[1] - files[0]:+.0f} files, second half against first")


@click.command()
@click.option("--seconds", default=15.0, show_default=True, help="How long each number of clients is tried.")
@click.option("--soak", "minutes", default=0.0, help="Minutes of eight clients afterwards.")
def main(seconds: float, minutes: float) -> None:
    """Start the service in a folder of its own, load it, and print the tables."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as (process, port):
        # What it logs would fill the pipe, and then it would wait.
        if process.stdout is None:
            raise RuntimeError("the server has no output")
        reading = Thread(target=lambda out: [None for _ in out], args=(process.stdout,), daemon=True)
        reading.start()
        key = demo_key(Path(folder), "superadmin")
        library = fill(port, key)
        if seconds:
            levels(process.pid, port, key, library, seconds)
        if minutes:
            soak(process.pid, port, key, library, minutes)
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    main()
