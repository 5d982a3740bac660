"""The modules of the layer that a warm search and a warm update go through, on moto within this process.

    PYTHONPATH=tests .venv/bin/python benchmarks/modules.py
    PYTHONPATH=DIR/layers/shared:DIR/tools:DIR/tests .venv/bin/python benchmarks/modules.py    # of the checkout DIR

A module counts if code of it runs: a function, a method or a property, in any thread. Earlier work (imports,
the first call of an environment) does not count. The group was refreshed, and nobody has written for five minutes.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any
from unittest.mock import patch

os.environ.update(
    {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "POWERTOOLS_SERVICE_NAME": "personas",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
)

import boto3
from moto import mock_aws

import personas
from personas_tools import template
from support.aws import Aws, create_tables, lambda_environment
from support.client import Answer, Client
from support.iam import Guard
from support.world import World, load_group

REGION = os.environ["AWS_DEFAULT_REGION"]
MONITORING = sys.monitoring
PACKAGE = Path(personas.__file__).parent
SEARCH = {"search": "calm"}
"""A search for a text, with the first page and all filters."""


@contextmanager
def world() -> Iterator[World]:
    """Give the tests' small group, in tables that the template of the checkout describes."""
    file = PACKAGE.parents[2] / "template.yaml"
    tables, functions = template.table_requests(file), template.functions(file)
    with mock_aws():
        names = {**{logical_id: f"test-{logical_id}" for logical_id in tables}, "Bucket": "test-bucket"}
        clients = {name: boto3.client(name) for name in ("dynamodb", "s3", "sqs")}
        for queue in template.queues(file):
            names[queue] = clients["sqs"].create_queue(QueueName=f"test-{queue}")["QueueUrl"]
        clients["s3"].create_bucket(Bucket="test-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        create_tables(clients["dynamodb"], tables, names)
        function = next(iter(functions.values()))
        environment = function.environment_with(names) | lambda_environment(function)
        os.environ.update(environment)
        guard = Guard(functions, names, {names[name]: request.partition_key for name, request in tables.items()})
        aws = Aws(names, environment, *clients.values())
        load_group(aws)
        yield World(aws, guard)


def modules_of(call: Callable[[], object]) -> dict[str, list[str]]:
    """Return the functions of the layer that run while a function answers an event: names by module, in their order."""
    began: list[CodeType] = []
    invoke = Client.invoke

    def begins(code: CodeType, _offset: int) -> object:
        began.append(code)
        return MONITORING.DISABLE

    def watched(client: Client, operation: str, raw: dict[str, Any]) -> Answer:
        MONITORING.use_tool_id(MONITORING.PROFILER_ID, "modules")
        MONITORING.register_callback(MONITORING.PROFILER_ID, MONITORING.events.PY_START, begins)
        MONITORING.set_events(MONITORING.PROFILER_ID, MONITORING.events.PY_START)
        MONITORING.restart_events()  # code that an earlier call has disabled is heard again
        try:
            return invoke(client, operation, raw)
        finally:
            MONITORING.set_events(MONITORING.PROFILER_ID, MONITORING.events.NO_EVENTS)
            MONITORING.free_tool_id(MONITORING.PROFILER_ID)

    with patch.object(Client, "invoke", watched):
        call()
    found: dict[str, list[str]] = {}
    for code in began:
        if Path(code.co_filename).is_relative_to(PACKAGE):
            found.setdefault(Path(code.co_filename).relative_to(PACKAGE).as_posix(), []).append(code.co_qualname)
    return found


def main() -> None:
    """Print both ways."""
    with world() as group:
        persona_id, *_ = [group.save(name=name, description=f"{name} is calm") for name in ("Ada", "Bea", "Cyd")]
        update = {"personas": [{"persona_id": persona_id, "description": "She is calm and quick."}]}
        client = group.client()
        client.call("refresh", {})
        for operation, body in (("search", SEARCH), ("update", update)):
            for _ in range(2):
                client.call(operation, body)
            found = modules_of(partial(client.call, operation, body))
            print(f"A warm {operation} goes through {len(found)} modules:")
            for module, functions in sorted(found.items()):
                print(f"  {module:<30} {', '.join(dict.fromkeys(functions))}")


if __name__ == "__main__":
    main()
