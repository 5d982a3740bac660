"""The write units of a save, by the size of the persona, on moto within this process.

    PYTHONPATH=tests .venv/bin/python benchmarks/saves.py
    PYTHONPATH=DIR/layers/shared:DIR/tools:DIR/tests .venv/bin/python benchmarks/saves.py    # of the checkout DIR

Units are counted as in `benchmarks/cost.py`. A save changes the instructions, whose text enters the directory as well,
or the color alone.
"""

import logging
import os
import random
from collections.abc import Callable
from contextlib import ExitStack

os.environ["POWERTOOLS_SERVICE_NAME"] = "personas"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Personas"

import boto3
import pytest
from moto import mock_aws

from personas import observability, runtime, services
from personas_tools import template
from support.capacity import Meter, item_size
from support.client import Client
from support.emulated import TEMPLATE, emulated_aws
from support.rounds import CountingParallel, Rounds
from support.warm import unguarded_world, warm_client
from support.world import GROUP, NEEDED, result

SIZES = (500, 1_500, 8_000, 32_000)
"""Characters of the instructions, of words that compress as prose does."""
SAVES = 20
_WORDS = [f"{word:x}" for word in random.Random(1).sample(range(1 << 16, 1 << 24), 4000)]


def text(characters: int, seed: int) -> str:
    """Return words at random, so many characters of them."""
    words = random.Random(seed).choices(_WORDS, k=characters // 6)
    return " ".join(words)[:characters]


def units(meter: Meter, client: Client, persona_id: str, change: Callable[[int], dict[str, object]]) -> float:
    """Return the write units of a save that makes such a change."""
    with meter.counting() as counted:
        for number in range(SAVES):
            answer = client.call("update", {"personas": [{"persona_id": persona_id, **change(number)}]})
            if not result(answer)["success"]:
                raise RuntimeError(answer.text)
    return counted.write / SAVES


def measure(characters: int) -> None:
    """Print what saves of a persona of that size take."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "none")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        aws = stack.enter_context(emulated_aws(None, template.table_requests(TEMPLATE), template.functions(TEMPLATE)))
        client = warm_client(unguarded_world(aws))
        services.services().parallel = CountingParallel(Rounds())  # the meter counts in one thread
        persona_id = result(client.call("create", {"personas": [{**NEEDED, "instructions": text(characters, 0)}]}))[
            "persona_id"
        ]
        table = aws.names["PersonasTable"]
        meter = Meter(boto3.client("dynamodb"), [table])
        meter.watch(runtime.dynamodb())
        instructions = units(meter, client, persona_id, lambda n: {"instructions": text(characters, n + 1)})
        color = units(meter, client, persona_id, lambda n: {"color": ("Plum", "Teal")[n % 2]})
        key = {"pk": {"S": f"group#{GROUP}"}, "sk": {"S": f"persona#{persona_id}"}}
        item = boto3.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
        print(f"| {characters:,} | {instructions:.1f} | {color:.1f} | {item_size(item):,} |")


def main() -> None:
    """Print the table."""
    observability.logger.setLevel(logging.CRITICAL)
    print("| characters of the instructions | units: instructions | units: color | bytes of the item |")
    print("| --- | --- | --- | --- |")
    for characters in SIZES:
        measure(characters)


if __name__ == "__main__":
    main()
