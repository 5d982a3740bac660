"""The cost of the history and of events: units, bytes and CPU of each version, by the size of the persona.

    .venv/bin/python benchmarks/history.py

The real handlers save on moto, and `record_history` is handed what moto's stream shows of that. Units are counted as in
`benchmarks/cost.py`, which has the prices, too. Lambda's time is 10 ms for two rounds to DynamoDB, and the CPU.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
os.environ["POWERTOOLS_SERVICE_NAME"] = "personas"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Personas"

import logging

import boto3
import click
import pytest
from cost import MILLION, PRICES, REGION
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from personas import observability, runtime, services
from personas.operations.record_history import record_version
from personas_tools import template
from support.aws import Aws
from support.capacity import Meter, item_size
from support.emulated import TEMPLATE, emulated_aws
from support.rounds import CountingParallel, Rounds
from support.warm import unguarded_world, warm_client
from support.world import NEEDED, result

SIZES = (1_500, 8_000, 32_000)
"""Characters of the instructions, of words that compress as prose does."""
VERSIONS = 20
ROUNDS_SECONDS = 0.010
EVENT = 1.00 / MILLION
"""US dollars for an event of up to 64 KB on a bus of one's own."""
_WORDS = [f"{word:x}" for word in random.Random(1).sample(range(1 << 16, 1 << 24), 4000)]


def text(characters: int, seed: int) -> str:
    """Return words at random, so many characters of them."""
    words = random.Random(seed).choices(_WORDS, k=characters // 6)
    return " ".join(words)[:characters]


def records_of(aws: Aws) -> list[dict[str, object]]:
    """Take what the stream shows of personas."""
    shard = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables[aws.names["PersonasTable"]].stream_shard
    if shard is None:
        raise RuntimeError("the table has no stream")
    records, shard.items = [item.record for item in shard.items], []
    for record in records:
        record["dynamodb"]["ApproximateCreationDateTime"] = time.time()
    return [each for each in records if each["dynamodb"]["Keys"]["sk"]["S"].startswith("persona#")]


def measured(aws: Aws, characters: int) -> None:
    """Save a persona again and again, record each version, and print what one takes."""
    client = warm_client(unguarded_world(aws))
    services.services().parallel = CountingParallel(Rounds())  # the meter counts in one thread
    created = client.call("create", {"personas": [{**NEEDED, "instructions": text(characters, 0)}]})
    persona_id = result(created)["persona_id"]
    for record in records_of(aws):
        record_version(services.services(), record)
    tables = [aws.names[each] for each in ("PersonasTable", "HistoryTable")]
    meter = Meter(boto3.client("dynamodb"), tables)
    meter.watch(runtime.dynamodb())
    with meter.counting() as saving:
        for number in range(VERSIONS):
            change = {"persona_id": persona_id, "instructions": text(characters, number + 1)}
            answer = client.call("update", {"personas": [change]})
            if not result(answer)["success"]:
                raise RuntimeError(answer.text)
    records = records_of(aws)
    with meter.counting() as recording:
        began = time.process_time()
        for record in records:
            record_version(services.services(), record)
        cpu = time.process_time() - began
    items = boto3.client("dynamodb").scan(TableName=aws.names["HistoryTable"])["Items"]
    stored = sum(item_size(item) for item in items) / (VERSIONS + 1)
    write = recording.write / VERSIONS
    dollars = write * PRICES["DynamoDB write unit"] + ROUNDS_SECONDS * 1769 / 1024 * PRICES["Lambda GB-second, arm64"]
    month = stored / 1e9 * PRICES["DynamoDB GB-month, with point-in-time recovery"]
    click.echo(
        f"| {characters:,} | {saving.write / VERSIONS:.1f} | {write:.1f} | {stored:,.0f} |"
        f" {cpu / VERSIONS * 1000:.0f} | {dollars * MILLION:.2f} | {month * MILLION:.2f} |"
    )


@contextmanager
def fresh() -> Iterator[Aws]:
    """Provide empty tables in this process."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCESS_KEY_ID", "none")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        with emulated_aws(None, template.table_requests(TEMPLATE), template.functions(TEMPLATE)) as aws:
            yield aws


def main() -> None:
    """Print the table of docs/cost.md."""
    observability.logger.setLevel(logging.CRITICAL)
    click.echo(
        "| instructions | units of a save | units of its records | bytes kept | CPU ms, with moto | $ a million |"
        " $ a month |"
    )
    click.echo("| --- | --- | --- | --- | --- | --- | --- |")
    for characters in SIZES:
        with fresh() as aws:
            measured(aws, characters)
    click.echo(f"A million events: ${EVENT * MILLION:.2f}, and the calls of Lambda.")


if __name__ == "__main__":
    main()
