"""The time to start the built functions, beside a bare one that imports boto3 and makes a DynamoDB client.

    make cold-start                       # builds for this machine, then measures everything
    make cold-start ARGS="--rounds 5"     # fewer starts of each

Every start is a process of its own in the Lambda runtime emulator of the aws-sam-cli wheel, with awslambdaric as the
runtime; the figure is its INIT REPORT: interpreter, imports and whatever the module does before the first event. All
functions take turns, so that a busy moment hits all alike. The bare one is compiled as the others are. Beside it stands
the CPU time of a process that imports the handler, which a busy machine changes less.
"""

import argparse
import http.client
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import runtime_emulator
from runtime_emulator import BUILD, INVOCATIONS, ROOT, RUNTIME, emulated, require

from personas_tools import template
from personas_tools.bundle import compile_all
from personas_tools.template_nodes import Ref

BARE: Final = "bare boto3"
BARE_HANDLER: Final = """
import boto3

dynamodb = boto3.client("dynamodb")


def lambda_handler(event, context):
    return {}
"""
MOST: Final = 1.6
"""Times as long as the bare one that a function may take."""
MOST_OF: Final[Mapping[str, float]] = {"McpFunction": 2.1}
"""More of one: the types of its protocol take 85 ms, and it does what seven others do (docs/adr/0056)."""
_INIT: Final = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
_PATIENCE: Final = 30.0
_IMPORT: Final = "import os, sys, handler; print(len(sys.modules), flush=True); os._exit(0)"
"""Ends without taking the modules down again, as an execution environment does."""


@dataclass
class Subject:
    """A function to start: its name, where its code lies, its environment, and what was measured, in milliseconds.

    ``inits`` are what the emulator reports, ``cpu`` what a process takes of a core to import the handler and end.
    """

    name: str
    folder: Path
    environment: Mapping[str, str]
    modules: int = 0
    inits: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def environment(function: template.Function) -> dict[str, str]:
    """Return the variables that Lambda gives a function, with names that lead nowhere: no start calls AWS."""
    names: dict[str, str] = {
        each.logical_id: "https://localhost/queue" if "Queue" in each.logical_id else f"cold-{each.logical_id}".lower()
        for each in function.environment.values()
        if isinstance(each, Ref)
    }
    return function.environment_with(names) | {
        "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
    }


def process_environment(subject: Subject) -> dict[str, str]:
    """Return the whole environment of its process."""
    return {
        **subject.environment,
        **runtime_emulator.process_environment(subject.folder),
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_SESSION_TOKEN": "none",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def start(subject: Subject) -> float:
    """Start it once in the emulator; the milliseconds that its init took."""
    with tempfile.TemporaryFile() as log, emulated(subject.folder, process_environment(subject), log.fileno()) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        # The init runs when the first event comes in; the answer to it is of no interest.
        connection.request("POST", INVOCATIONS, json.dumps({"version": "2.0"}))
        connection.getresponse().read()
        connection.close()
        log.seek(0)
        text = log.read().decode(errors="replace")
    found = _INIT.search(text)
    if found is None or "INIT RTDONE(status: success)" not in text:
        raise SystemExit(f"{subject.name} did not start:\n{text}")
    return float(found[1])


def import_once(subject: Subject) -> float:
    """Import its handler in a process of its own, and count its modules; the milliseconds of a core that this took."""
    process = subprocess.Popen(
        [RUNTIME, "-c", _IMPORT],
        cwd=subject.folder,
        env=process_environment(subject),
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout is None:
        raise RuntimeError("the process has no output")
    with process.stdout as printed:
        subject.modules = int(printed.read())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (used.ru_utime + used.ru_stime) * 1000


def load_average() -> str:
    """Return the load averages of the machine."""
    return " ".join(f"{each:.2f}" for each in os.getloadavg())


def main() -> int:
    """Measure and print the table; 1 where a function takes more than it may."""
    parser = argparse.ArgumentParser(description="Measure the cold starts of the built functions.")
    parser.add_argument("--rounds", type=int, default=15, help="starts of each function (default 15)")
    arguments = parser.parse_args()
    require()
    with tempfile.TemporaryDirectory() as folder:
        bare = Subject(BARE, Path(folder), {"AWS_LAMBDA_FUNCTION_TIMEOUT": "29"})
        (bare.folder / "handler.py").write_text(BARE_HANDLER, encoding="utf-8")
        compile_all(bare.folder, "/var/task")
        functions = template.functions(ROOT / "template.yaml").values()
        own = [Subject(each.logical_id, BUILD / each.logical_id, environment(each)) for each in functions]
        sys.stdout.write(
            f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {load_average()}\n\n"
        )
        for subject in (bare, *own):
            import_once(subject)
            start(subject)  # what has to come from the disk does so now
        for _ in range(arguments.rounds):
            for subject in (bare, *own):
                subject.inits.append(start(subject))
                subject.cpu.append(import_once(subject))
    sys.stdout.write("\n".join(rows(bare, own)) + "\n")
    sys.stdout.write(f"\nMedians of {arguments.rounds}; load average at the end {load_average()}.\n")
    usual = statistics.median(bare.inits)
    slow = [each.name for each in own if statistics.median(each.inits) > MOST_OF.get(each.name, MOST) * usual]
    if slow:
        sys.stderr.write(f"Longer beside the bare one than they may take: {', '.join(slow)}\n")
    return 1 if slow else 0


def rows(bare: Subject, own: list[Subject]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| function | init, ms | fastest | times the bare one | CPU, ms | times the bare one | modules |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for each in (bare, *own):
        init, cpu = statistics.median(each.inits), statistics.median(each.cpu)
        cells = [each.name, f"{init:.0f}", f"{min(each.inits):.0f}", f"{init / statistics.median(bare.inits):.2f}"]
        cells += [f"{cpu:.0f}", f"{cpu / statistics.median(bare.cpu):.2f}", str(each.modules)]
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
