"""AWS for as long as a test wants it, and on the emulator where a test wants that.

The emulator holds real tables behind a real network, so that several processes can work on them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

import boto3
import pytest

from personas_tools import template
from personas_tools.template import Function, TableRequest
from support.aws import Aws, create_tables, forget

TEMPLATE: Final = Path(__file__).parents[2] / "template.yaml"


def emulated_aws(
    address: str | None,
    definitions: Mapping[str, TableRequest],
    functions: Mapping[str, Function],
    patch: pytest.MonkeyPatch,
) -> Aws:
    """Create empty tables and queues for one test; while ``patch`` holds, a function's environment leads to them.

    They are on the emulator at ``address``, or, if that is None, in the caller's own ``mock_aws``. The environment
    that is returned is complete: a process that is given it reaches the same tables on the emulator.
    """
    suffix = uuid4().hex[:8]
    names = {**{logical_id: f"test-{logical_id}-{suffix}" for logical_id in definitions}, "Bucket": f"test-{suffix}"}
    sqs = boto3.client("sqs", endpoint_url=address)
    for logical_id in template.queues(TEMPLATE):
        names[logical_id] = sqs.create_queue(QueueName=f"test-{logical_id}-{suffix}")["QueueUrl"]
    environment = {
        **next(iter(functions.values())).environment_with(names),
        **({} if address is None else {"AWS_ENDPOINT_URL": address}),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    for name, value in environment.items():
        patch.setenv(name, value)
    forget()
    dynamodb = boto3.client("dynamodb")
    create_tables(dynamodb, definitions, names)
    return Aws(names, environment, dynamodb, boto3.client("s3"), boto3.client("sqs"))
