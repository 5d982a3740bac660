"""The cost of each operation on AWS: capacity by DynamoDB's rules, requests, rounds, CPU and log bytes, measured.

    .venv/bin/python benchmarks/cost.py            # 300 personas in the group, 40 calls an operation
    .venv/bin/python benchmarks/cost.py --personas 5000

The real handlers run on moto with everything warm. `tests/support/capacity.py` counts DynamoDB's units from the items
before and after each request, `tests/support/rounds.py` the sequential rounds. CPU is the process's own less the part
of moto. Some things cannot be measured here; they are assumed, and named as such in the output: the time of a round to
AWS, the prices, and the behaviour of customers.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
os.environ["POWERTOOLS_SERVICE_NAME"] = "personas"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Personas"

import gc
import gzip
import logging
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from itertools import count
from statistics import fmean
from typing import Final, cast

import boto3
import click
import pytest
from moto import mock_aws

from personas import observability, runtime, services
from personas.runtime import utc_now
from personas.store.table import Table
from personas_tools import template
from personas_tools.monitoring import global_indexes
from personas_tools.watches import watches
from support.aws import Aws
from support.capacity import Meter, item_size
from support.client import Client
from support.emulated import TEMPLATE, emulated_aws
from support.rounds import CountingParallel, Rounds
from support.warm import unguarded_world, warm_client
from support.world import CARE, NEEDED, SALES, World, result

# ---- Prices and assumptions ---------------------------------------------------------------------------------------

MILLION = 1_000_000
REGION: Final = "eu-central-1"
PRICES = {
    "DynamoDB write unit": 0.625 / MILLION,
    "DynamoDB read unit": 0.125 / MILLION,
    "DynamoDB GB-month, with point-in-time recovery": 0.25 + 0.20,
    "Lambda GB-second, arm64": 0.0000133334,
    "Lambda request": 0.20 / MILLION,
    "HTTP API request": 1.00 / MILLION,
    "S3 PUT, POST or LIST": 5.00 / MILLION,
    "S3 GET": 0.40 / MILLION,
    "SQS request": 0.40 / MILLION,
    "log GB": 0.50,
    "GB out of AWS": 0.09,
    "custom metric, a month": 0.30,
    "alarm, a month": 0.10,
    "dashboard, a month": 3.00,
    "KMS request": 0.03 / 10_000,
}
"""List prices of us-east-1 in US dollars, without free tiers; most regions are dearer by up to a fifth."""

ROUND_SECONDS = {"dynamodb": 0.005, "s3": 0.030, "sqs": 0.010}
"""Assumed: how long a request to AWS takes."""
LAMBDA_LOG_BYTES = 570
"""The size of Lambda's own two log lines of a run beside the API (start and report); of a call there are none."""
POLLERS, POLL_SECONDS = 5, 20
"""So many long polls at a time has Lambda open on a queue that is empty, each so long."""
TABLE_KEYS_A_MONTH = 3 * 12 * 24 * 30
"""DynamoDB asks KMS for the key of a table in use every five minutes; there are three tables."""
ACCESS_LOG_BYTES = 400
"""An access log line of the HTTP API."""
HEADER_BYTES = 400
"""The headers of an answer."""
WRITES_OF_S3 = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "ListObjectsV2")


# ---- Measuring ----------------------------------------------------------------------------------------------------


class Output:
    """A replacement of standard output while the functions log, which counts the bytes."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.written = 0

    def write(self, text: str) -> int:
        """Count and forget."""
        self.written += len(text.encode())
        return len(text)

    def flush(self) -> None:
        """Do nothing: there is nothing to flush."""


class OwnTime:
    """CPU seconds of this process, less those within ``excluded``."""

    def __init__(self) -> None:
        self._excluded = 0.0
        self._began = 0.0
        self._depth = 0

    def now(self) -> float:
        """Return the time so far."""
        return time.process_time() - self._excluded

    @contextmanager
    def excluded(self) -> Iterator[None]:
        """Leave the time of this context out of the count."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self, **_: object) -> None:
        """Stop the clock."""
        if self._depth == 0:
            self._began = time.process_time()
        self._depth += 1

    def leave(self, **_: object) -> None:
        """Let the clock go on."""
        self._depth -= 1
        if self._depth == 0:
            self._excluded += time.process_time() - self._began


@dataclass
class Cost:
    """The resources that one call took, on average."""

    name: str
    operation: str
    writes: list[int] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    log_bytes: list[int] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    answered: list[int] = field(default_factory=list)
    transferred: list[int] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """The number of calls that were measured."""
        return len(self.cpu)

    def per_call(self, *names: str) -> float:
        """Return the number of requests of these names per call."""
        return sum(self.requests.get(name, 0) for name in names) / self.calls

    @property
    def slow_seconds(self) -> float:
        """The assumed time of a call's requests to S3 and SQS beyond that of one to DynamoDB."""
        seconds = 0.0
        for name, number in self.requests.items():
            service = name.partition(".")[0]
            seconds += number / self.calls * (ROUND_SECONDS[service] - ROUND_SECONDS["dynamodb"])
        return seconds

    @property
    def billed_seconds(self) -> float:
        """CPU as measured, and rounds as assumed."""
        return fmean(self.cpu) + fmean(self.rounds) * ROUND_SECONDS["dynamodb"] + self.slow_seconds

    def dollars(self, memory_mb: int) -> dict[str, float]:
        """Return the price of a call, by service."""
        s3_writes = self.per_call(*(f"s3.{name}" for name in WRITES_OF_S3), "s3.PutObjectTagging")
        s3_reads = self.per_call("s3.GetObject", "s3.HeadObject")
        sqs = sum(number for name, number in self.requests.items() if name.startswith("sqs.")) / self.calls
        scheduled = self.operation == "refresh"
        # The line of API Gateway of a call, or those of Lambda of a run beside it.
        others = LAMBDA_LOG_BYTES if scheduled else ACCESS_LOG_BYTES
        return {
            "HTTP API": 0 if scheduled else PRICES["HTTP API request"],
            "Lambda": PRICES["Lambda request"]
            + self.billed_seconds * memory_mb / 1024 * PRICES["Lambda GB-second, arm64"],
            "DynamoDB": fmean(self.writes) * PRICES["DynamoDB write unit"]
            + fmean(self.reads) * PRICES["DynamoDB read unit"],
            "S3, SQS": s3_writes * PRICES["S3 PUT, POST or LIST"]
            + s3_reads * PRICES["S3 GET"]
            + sqs * PRICES["SQS request"],
            "transfer": 0 if scheduled else fmean(self.transferred) / 1e9 * PRICES["GB out of AWS"],
            "logs": (fmean(self.log_bytes) + others) / 1e9 * PRICES["log GB"],
        }


@dataclass(frozen=True)
class Stored:
    """Bytes a persona: all of the table, the persona's item, and its entry in the change feed."""

    every: float
    item: float
    entry: float


class Bench:
    """A group in a warm service whose every request is metered."""

    def __init__(self, aws: Aws, personas: int, output: Output) -> None:
        self.world: World = unguarded_world(aws)
        self.own = OwnTime()
        self.rounds = Rounds()
        self.output = output
        reader = boto3.client("dynamodb")
        tables = [aws.names["PersonasTable"], aws.names["IdempotencyTable"]]
        self.meter = Meter(reader, tables, self.own.excluded)
        self.passed = timedelta()
        acting = services.services()
        acting.parallel = CountingParallel(self.rounds)
        acting.now = lambda: utc_now() + self.passed
        acting.table = Table(runtime.dynamodb(), acting.settings.personas_table, acting.now, runtime.deadline())
        clients = (runtime.dynamodb(), runtime.s3(), runtime.sqs())
        for client in clients:
            # moto answers within `before-send`: what lies between the first and the last of its handlers is not ours.
            client.meta.events.register_first("before-send", self.own.enter)
            client.meta.events.register_last("before-send", self.own.leave)
        self.rounds.watch(*clients)
        self.meter.watch(*clients)
        self.client: Client = warm_client(self.world)
        self.numbers = count()
        self.ids: list[str] = []
        for _ in range(0, personas, 100):
            self.ids += self.create(100)
        self.client.call("refresh", {})
        # A collection of all that moto and the tests hold would fall on some call of a few; no function holds it.
        gc.collect()
        gc.freeze()

    def persona(self) -> dict[str, object]:
        """Return a persona of ordinary size: instructions of 1,500 characters, two examples."""
        number = next(self.numbers)
        return {
            **NEEDED,
            "name": f"Persona {number:06d}",
            "description": f"Number {number} is impatient, has called twice before and wants the refund today.",
            "instructions": f"{number % 50:06d} Stay polite but firm; ask for the order. ".ljust(1500, "x"),
            "examples": [f"{number % 80:06d} I have waited for a week now.".ljust(200, "y") for _ in range(1)]
            + ["Please let me speak to somebody who can decide this."],
            "department_ids": [CARE, SALES][: 1 + number % 2],
            "voices": ["Alto"],
        }

    def create(self, number: int, **headers: str) -> list[str]:
        """Create so many personas in one call; their ids."""
        answer = self.client.call("create", {"personas": [self.persona() for _ in range(number)]}, **headers)
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(answer.text)
        return [result(answer, position)["persona_id"] for position in range(number)]

    def measure(self, name: str, operation: str, bodies: Callable[[], Iterator[object]], **headers: str) -> Cost:
        """Call the operation once to warm it up and then once for each further body."""
        cost = Cost(name, operation)
        # By then the caches of callers and the window of the feed hold nothing of the calls before.
        self.passed += timedelta(seconds=61)
        for number, body in enumerate(bodies()):
            sent = {key: f"{value}-{next(self.numbers)}" for key, value in headers.items()}
            with self.rounds.counting(), self.meter.counting() as consumed:
                written, began = self.output.written, self.own.now()
                answer = self.client.call(operation, body, accept_encoding="gzip", **sent)
                cpu, logged = self.own.now() - began, self.output.written - written
            if answer.status not in {200, 302}:
                raise RuntimeError(f"{name}: {answer.text}")
            if number == 0:
                self.passed += runtime.FEED_WINDOW
                continue
            cost.cpu.append(cpu)
            cost.log_bytes.append(logged)
            cost.writes.append(consumed.write)
            cost.reads.append(consumed.read)
            cost.rounds.append(self.rounds.taken)
            packed = "Content-Encoding" in answer.headers
            raw = b64decode(answer.text) if packed else answer.text.encode()
            cost.transferred.append(len(raw) + HEADER_BYTES)
            cost.answered.append(len(gzip.decompress(raw) if packed else raw))
            for request, times in consumed.requests.items():
                cost.requests[request] = cost.requests.get(request, 0) + times
        return cost

    def all(self, repeats: int) -> list[Cost]:
        """Measure every operation."""
        some = self.ids[:: max(1, len(self.ids) // repeats)]

        def drafts() -> Iterator[object]:
            for _ in range(repeats + 1):
                yield {"name": f"Draft {next(self.numbers)}"}

        def patches() -> Iterator[object]:
            draft_id = self.client.call("draft", {"name": "A draft"}).body["draft_id"]
            for version in range(1, repeats + 2):
                yield {"input_draft_id": draft_id, "expected_version": version, "description": f"Edit {version}."}

        def refreshes() -> Iterator[object]:
            for _ in range(4):
                self.create(10)
                yield {}

        def created(number: int, calls: int) -> Iterator[object]:
            for _ in range(calls + 1):
                yield {"personas": [self.persona() for _ in range(number)]}

        def deletions() -> Iterator[object]:
            for persona_id in self.create(min(repeats + 1, 50)):
                yield {"persona_ids": [persona_id]}

        searches: list[object] = [{"search": f"number {n}", "page_size": 12} for n in range(repeats + 1)]
        costs = [
            self.measure("get", "get", lambda: ({"persona_id": each} for each in some)),
            self.measure("search", "search", lambda: iter(searches)),
            self.measure("drafts", "drafts", lambda: ({} for _ in range(repeats + 1))),
            self.measure("draft, new", "draft", drafts),
            self.measure("draft, a patch", "draft", patches),
            self.measure("create", "create", lambda: created(1, repeats)),
            self.measure("create, keyed", "create", lambda: created(1, repeats), Idempotency_Key="cost"),
            self.measure("create of 100", "create", lambda: created(100, 3)),
            self.measure(
                "update",
                "update",
                lambda: ({"personas": [{"persona_id": each, "description": "Changed."}]} for each in some),
            ),
            self.measure("duplicate", "duplicate", lambda: ({"persona_id": each} for each in some)),
            self.measure("delete", "delete", deletions),
        ]
        self.client.call("refresh", {})
        self.passed += runtime.FEED_WINDOW
        exported = self.client.call("export", {}).body["upload_id"]
        costs += [
            self.measure("docs", "docs", lambda: ({} for _ in range(repeats + 1))),
            self.measure("export of all", "export", lambda: ({} for _ in range(5))),
            self.measure("download", "download", lambda: ({"upload_id": exported} for _ in range(repeats + 1))),
        ]
        costs.append(self.measure("refresh of 10 changes", "refresh", refreshes))
        return costs

    def stored(self) -> Stored:
        """Measure the bytes that DynamoDB stores of a persona, its 100 bytes an item and an index entry included."""
        table = services.services().settings.personas_table
        reader = boto3.client("dynamodb")
        every = personas = items = entries = 0
        for index in (None, "changes"):
            of_index = {} if index is None else {"IndexName": index}
            for page in reader.get_paginator("scan").paginate(TableName=table, **of_index):
                for item in page["Items"]:
                    size = item_size(item) + 100
                    every += size
                    if item["sk"]["S"].startswith("persona#"):
                        personas += index is None
                        items += size if index is None else 0
                        entries += size if index else 0
        return Stored(every / personas, items / personas, entries / personas)


# ---- Customers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Customer:
    """Somebody who runs the service: how many groups, personas in each, and active people in all."""

    name: str
    groups: int
    personas: int
    people: int


CUSTOMERS = (
    Customer("a team: 1 group, 300 personas, 20 people", 1, 300, 20),
    Customer("a company: 20 groups of 1,000 personas, 1,000 people", 20, 1_000, 1_000),
    Customer("a provider: 1,000 groups of 2,000 personas, 50,000 people", 1_000, 2_000, 50_000),
)
A_PERSON = {
    "get": 200,
    "search": 300,
    "drafts": 40,
    "draft, new": 10,
    "draft, a patch": 400,
    "create": 5,
    "update": 40,
    "duplicate": 2,
    "delete": 3,
    "export of all": 0.5,
    "download": 0.5,
}
"""Assumed: what an active person calls in a month. A form that saves itself makes most of it."""
REFRESHES_OF_A_GROUP = 4 * 9 * 22
"""Assumed: a group changes in each quarter of an hour of nine hours on 22 days."""
SCHEDULED = 4 * 24 * 30
COLD_STARTS, COLD_SECONDS = 0.01, 0.6
"""Assumed: one call in a hundred starts an environment, which Lambda bills for as well."""


def monthly(customer: Customer, prices: dict[str, float], stored: float, fixed: float) -> dict[str, float]:
    """Return a customer's costs of a month in dollars, by their kind."""
    calls = {name: number * customer.people for name, number in A_PERSON.items()}
    cold = COLD_STARTS * COLD_SECONDS * 1769 / 1024 * PRICES["Lambda GB-second, arm64"]
    stored_gb = customer.groups * customer.personas * stored / 1e9
    # A group with few people changes less often than the schedule runs.
    changes = sum(A_PERSON[name] for name in ("create", "update", "duplicate", "delete")) * customer.people
    refreshes = min(customer.groups * REFRESHES_OF_A_GROUP, changes)
    return {
        "calls": sum(number * prices[name] for name, number in calls.items()),
        "cold starts": sum(calls.values()) * cold,
        "refreshes": refreshes * prices["refresh of 10 changes"] + SCHEDULED * 3 * PRICES["Lambda request"],
        "storage": stored_gb * PRICES["DynamoDB GB-month, with point-in-time recovery"],
        "fixed": fixed,
    }


def fixed_costs(metrics: int) -> dict[str, float]:
    """Return what a stack costs in a month that nobody uses, by its kind; an alarm is paid by the series."""
    tables = {name: global_indexes(table) for name, table in template.table_requests(TEMPLATE).items()}
    alarms = [alarm for watch in watches(template.functions(TEMPLATE), tables) for alarm in watch.alarms]
    series = sum(len(alarm.metrics) for alarm in alarms if alarm.condition is None)
    polls = POLLERS * 86_400 * 30 / POLL_SECONDS
    return {
        f"{series} series of alarms": series * PRICES["alarm, a month"],
        f"{metrics} metrics": metrics * PRICES["custom metric, a month"],
        "dashboard": PRICES["dashboard, a month"],
        "polling the queue": polls * PRICES["SQS request"],
        "keys of tables": TABLE_KEYS_A_MONTH * PRICES["KMS request"],
    }


# ---- Telling ------------------------------------------------------------------------------------------------------


@click.command()
@click.option("--personas", default=300, show_default=True, help="Personas in the group.")
@click.option("--repeats", default=40, show_default=True, help="Calls of each operation.")
@click.option("--metrics", default=3, show_default=True, help="Custom metrics that the functions write.")
def main(personas: int, repeats: int, metrics: int) -> None:
    """Measure and print the tables."""
    real, output = sys.stdout, Output()
    sys.stdout = output  # what Powertools writes metrics to, and lines of the log to what it was at the import
    cast("logging.StreamHandler[Output]", observability.logger.registered_handler).setStream(output)
    functions = template.functions(TEMPLATE)
    try:
        with mock_aws(), pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patch.setenv(name, "none")
            patch.setenv("AWS_DEFAULT_REGION", REGION)
            aws = stack.enter_context(emulated_aws(None, template.table_requests(TEMPLATE), functions))
            bench = Bench(aws, personas, output)
            costs, stored = bench.all(repeats), bench.stored()
    finally:
        sys.stdout = real
    print(
        f"{personas} personas in the group; stored a persona: {stored.every:,.0f} bytes in all, of them"
        f" {stored.item:,.0f} its item and {stored.entry:,.0f} its entry in the change feed\n"
    )
    print("| a call | write units | read units | rounds | S3 and SQS requests | CPU ms | log bytes | answer | sent |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for cost in costs:
        other = sum(number for name, number in cost.requests.items() if not name.startswith("dynamodb.")) / cost.calls
        print(
            f"| {cost.name} | {fmean(cost.writes):.1f} | {fmean(cost.reads):.1f} | {fmean(cost.rounds):.1f} |"
            f" {other:.1f} | {fmean(cost.cpu) * 1000:.1f} | {fmean(cost.log_bytes):.0f} | {fmean(cost.answered):,.0f} |"
            f" {fmean(cost.transferred):,.0f} |"
        )
    print("\n| US dollars a million | HTTP API | Lambda | DynamoDB | S3, SQS | transfer | logs | all |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    prices: dict[str, float] = {}
    for cost in costs:
        parts = cost.dollars(functions[f"{cost.operation.capitalize()}Function"].memory)
        prices[cost.name] = sum(parts.values())
        cells = " | ".join(f"{value * MILLION:.2f}" for value in parts.values())
        print(f"| {cost.name} | {cells} | {sum(parts.values()) * MILLION:.2f} |")
    kinds = fixed_costs(metrics)
    fixed = sum(kinds.values())
    print(f"\nA month, used or not: {', '.join(f'{name} ${cost:.2f}' for name, cost in kinds.items())}")
    print("\n| US dollars a month | calls | cold starts | refreshes | storage | fixed | all | a person |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for customer in CUSTOMERS:
        parts = monthly(customer, prices, stored.every, fixed)
        total = sum(parts.values())
        cells = " | ".join(f"{value:,.2f}" for value in parts.values())
        print(f"| {customer.name} | {cells} | {total:,.2f} | {total / customer.people:.4f} |")


if __name__ == "__main__":
    main()
