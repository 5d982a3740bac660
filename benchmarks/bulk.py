"""A thousand items in one call: the time, CPU and memory on the emulator, and the units by DynamoDB's rules.

    .venv/bin/python benchmarks/bulk.py                # on the emulator, and then counted on moto
    .venv/bin/python benchmarks/bulk.py --large 300    # so many of the largest personas in one update

The emulator is a process beside this one, so memory is the function's own. It answers one request after the other, so
its times say what a call of this size costs in round trips and CPU here, not on AWS. Units are counted from the items
before and after each request (`tests/support/capacity.py`).
"""

import logging
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import click
import pytest
from cost import REGION, Bench, Output
from moto import mock_aws

from personas import runtime, services
from personas.contract.base import BULK_BODY_MAX, ITEMS_MAX
from personas_tools import template
from personas_tools.emulator import Emulator
from support.aws import Aws
from support.client import Answer, Client
from support.emulated import TEMPLATE, emulated_aws
from support.warm import unguarded_world, warm_client
from support.world import NEEDED

ROOT: Final = Path(__file__).resolve().parent.parent
CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}


def persona(number: int, characters: int) -> dict[str, object]:
    """Return a persona whose instructions have that many characters."""
    return {**NEEDED, "name": f"Persona {number:04}", "instructions": f"{number:04} ".ljust(characters, "x")}


def largest(number: int) -> dict[str, object]:
    """Return a persona of about the largest permitted size, of characters that hardly compress."""
    noise = os.urandom(125_000).hex()
    examples = [noise[each : each + 2_000] for each in range(0, 100_000, 2_000)]
    return {**NEEDED, "name": f"Large {number:04}", "instructions": noise[100_000:132_000], "examples": examples}


@contextmanager
def on_emulator() -> Iterator[Aws]:
    """Run AWS on a ministack of its own."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        emulator = Emulator(ROOT / ".local/ministack/bin/ministack", Path(folder))
        address = emulator.launch()
        try:
            emulator.wait()
            yield emulated_aws(address, template.table_requests(TEMPLATE), template.functions(TEMPLATE), patch)
        finally:
            emulator.stop()


class Timed:
    """Calls of one warm client, each with a line that states its time."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def call(self, name: str, operation: str, body: Mapping[str, Sequence[object]]) -> Answer:
        """Make a call and print its time, CPU, peak of memory so far, and what became of its items."""
        began, cpu = time.perf_counter(), time.process_time()
        answer = self._client.call(operation, body)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        became = Counter(each["code"] or "saved" for each in answer.body["results"])
        print(f"{name:44} {took:6.1f} s {cpu:6.1f} s {peak:7.0f} MB {len(answer.text):9,}  {dict(became)}")
        return answer


def timed(large: int) -> None:
    """Print the time and memory that the calls take on the emulator."""
    with on_emulator() as aws:
        client = warm_client(unguarded_world(aws))
        client.call("get")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{'':44} {'time':>8} {'CPU':>8} {'peak':>10} {'answer':>9}\n{'before':62} {peak:7.0f} MB")
        calls = Timed(client)
        items = [persona(number, 1_500) for number in range(ITEMS_MAX)]
        created = calls.call(f"create {ITEMS_MAX}, 1,500 characters each", "create", {"personas": items})
        ids = [each["persona_id"] for each in created.body["results"]]
        changes = [{"persona_id": each, "description": f"Changed {each}."} for each in ids]
        calls.call(f"update {ITEMS_MAX}, a description each", "update", {"personas": changes})
        calls.call(f"delete {ITEMS_MAX}", "delete", {"persona_ids": ids})
        size = BULK_BODY_MAX // ITEMS_MAX - 200
        items = [persona(number, size) for number in range(ITEMS_MAX)]
        created = calls.call(f"create {ITEMS_MAX}, 4 MB", "create", {"personas": items})
        ids = [each["persona_id"] for each in created.body["results"]]
        changes = [{**item, "persona_id": each} for each, item in zip(ids, items, strict=True)]
        calls.call(f"update {ITEMS_MAX}, 4 MB", "update", {"personas": changes})
        ids = []
        for first in range(0, large, 10):
            answer = client.call("create", {"personas": [largest(number) for number in range(first, first + 10)]})
            ids += [each["persona_id"] for each in answer.body["results"]]
        changes = [{"persona_id": each, "description": "Changed."} for each in ids]
        calls.call(f"update {large} of the largest", "update", {"personas": changes})


def counted() -> None:
    """Print the units that the calls take."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        aws = stack.enter_context(emulated_aws(None, template.table_requests(TEMPLATE), template.functions(TEMPLATE)))
        bench = Bench(aws, 0, Output())
        # Counting takes longer than a call may.
        acting = services.services()
        acting.deadline = acting.table.deadline = runtime.Deadline()
        print(f"\n{'':44} {'write units':>12} {'read units':>12} {'rounds':>8}")
        for operation in ("create", "update"):
            if operation == "create":
                items = [bench.persona() for _ in range(ITEMS_MAX)]
            else:
                items = [{"persona_id": each, "description": "Changed."} for each in bench.ids]
            with bench.rounds.counting(), bench.meter.counting() as used:
                answer = bench.client.call(operation, {"personas": items})
            bench.ids = [each["persona_id"] for each in answer.body["results"]]
            rounds = bench.rounds.taken
            print(f"{operation} {ITEMS_MAX:<37} {used.write:12,} {used.read:12,} {rounds:8}  {used.requests}")


@click.command()
@click.option("--large", default=200, show_default=True, help="How many of the largest personas one update changes.")
@click.option("--units-only", is_flag=True, help="Leave the emulator out.")
def main(large: int, units_only: bool) -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    if not units_only:
        timed(large)
    counted()


if __name__ == "__main__":
    main()
