"""The parts of a cold start: the CPU time of each group of modules, of the client, and of the garbage collector.

    make build-local
    .venv/bin/python benchmarks/start_parts.py GetFunction SearchFunction McpFunction

Every start is a process that imports the handler as it is built. A module counts without those that it imports, the
client without the modules that botocore imports for it. Each figure is the least of all rounds: what other processes
of the machine add is no part of a start.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cold_start import BARE, BARE_HANDLER, BUILD, ROOT, Subject, environment, load_average, process_environment
from runtime_emulator import RUNTIME, require

from personas_tools import template
from personas_tools.bundle import compile_all

PROBE: Final = """
import gc, importlib._bootstrap as bootstrap, json, os, sys, time
own, under_way, find = {"Python": time.thread_time_ns()}, ["the rest"], bootstrap._find_and_load
last = own["Python"]

def count():
    global last
    now = time.thread_time_ns()
    own[under_way[-1]] = own.get(under_way[-1], 0) + now - last
    last = now

def timed(label, call, *arguments, **named):
    count()
    under_way.append(label)
    try:
        return call(*arguments, **named)
    finally:
        count()
        under_way.pop()

def load(name, import_):
    module = timed(name, find, name, import_)
    if name == "botocore.session":
        for method in ("__init__", "create_client"):
            call = getattr(module.Session, method)
            setattr(module.Session, method, lambda *a, _call=call, **n: timed("client", _call, *a, **n))
    return module

def collected(phase, _):
    count()
    under_way.append("garbage collector") if phase == "start" else under_way.pop()

bootstrap._find_and_load = load
gc.callbacks.append(collected)
import handler
count()
print(json.dumps(own), flush=True)
os._exit(0)
"""
GROUPS: Final = {
    "botocore and what it imports": ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"),
    "pydantic": ("annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"),
    "Powertools": ("aws_lambda_powertools",),
    "types of MCP": ("mcp_types",),
    "compiled packages": ("isal", "pyroaring", "stringzilla"),
    "application": ("handler",),
}
LABELS: Final = ("Python", "client", "garbage collector")


def group_of(name: str) -> str:
    """Return the group that a module, or another part of a start, counts to."""
    package = name.partition(".")[0]
    if name in LABELS:
        return name
    if package == "personas":
        return "our models" if name.startswith("personas.contract") else "our other modules"
    if package in sys.stdlib_module_names:
        return "standard library"
    return next((group for group, packages in GROUPS.items() if package in packages), "the rest")


def parts(subject: Subject, rounds: int) -> Mapping[str, float]:
    """Return the milliseconds that each group takes of a start."""
    least: dict[str, int] = {}
    for _ in range(rounds):
        ran = subprocess.run(
            [RUNTIME, "-c", PROBE],
            cwd=subject.folder,
            env=process_environment(subject),
            capture_output=True,
            text=True,
            check=True,
        )
        for name, taken in json.loads(ran.stdout).items():
            least[name] = min(taken, least.get(name, taken))
    found: dict[str, float] = defaultdict(float)
    for name, taken in least.items():
        found[group_of(name)] += taken / 1e6
    return found


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Tell the parts of cold starts.")
    parser.add_argument("functions", nargs="+", help="logical ids, such as GetFunction")
    parser.add_argument("--rounds", type=int, default=9, help="starts of each (default 9)")
    arguments = parser.parse_args()
    require()
    known = {each.logical_id: each for each in template.functions(ROOT / "template.yaml").values()}
    with tempfile.TemporaryDirectory() as folder:
        bare = Subject(BARE, Path(folder), {"AWS_LAMBDA_FUNCTION_TIMEOUT": "29"})
        (bare.folder / "handler.py").write_text(BARE_HANDLER, encoding="utf-8")
        compile_all(bare.folder, "/var/task")
        own = [Subject(name, BUILD / name, environment(known[name])) for name in arguments.functions]
        columns = [parts(each, arguments.rounds) for each in (bare, *own)]
    print(f"| CPU ms | {BARE} | {' | '.join(arguments.functions)} |\n| --- |{' --- |' * len(columns)}")
    for group in sorted(set().union(*columns), key=lambda each: -max(column.get(each, 0) for column in columns)):
        print(f"| {group} | {' | '.join(f'{column.get(group, 0):.0f}' for column in columns)} |")
    print(f"| *all* | {' | '.join(f'{sum(column.values()):.0f}' for column in columns)} |")
    print(f"\nLeast of {arguments.rounds}; load average {load_average()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
