"""AWS on the emulator for as long as a test wants it.

The emulator holds real tables behind a real network, so that several processes can work on them.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import boto3
import pytest

from personas_tools import template
from personas_tools.template import Function, TableRequest
from support.aws import REGION, Aws, create_tables, forget_clients

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = ROOT / "template.yaml"
MINISTACK: Final = Path(os.environ.get("PERSONAS_MINISTACK", ROOT / ".local/ministack/bin/ministack"))
"""The emulator's program."""


@contextmanager
def emulated_aws(
    address: str | None, definitions: Mapping[str, TableRequest], functions: Mapping[str, Function]
) -> Iterator[Aws]:
    """Provide empty tables, queues and a bucket, to which a function's environment leads within this context.

    They are on the emulator at ``address``, or, if that is None, in the caller's own ``mock_aws``. The environment is
    complete: a process that is given it reaches the same tables on the emulator.
    """
    suffix = uuid4().hex[:8]
    names = {**{logical_id: f"test-{logical_id}-{suffix}" for logical_id in definitions}, "Bucket": f"test-{suffix}"}
    dynamodb, s3, sqs = (
        boto3.client("dynamodb", endpoint_url=address),
        boto3.client("s3", endpoint_url=address),
        boto3.client("sqs", endpoint_url=address),
    )
    for logical_id in template.queues(TEMPLATE):
        names[logical_id] = sqs.create_queue(QueueName=f"test-{logical_id}-{suffix}")["QueueUrl"]
    create_tables(dynamodb, definitions, names)
    s3.create_bucket(Bucket=names["Bucket"], CreateBucketConfiguration={"LocationConstraint": REGION})
    environment = {
        **next(iter(functions.values())).environment_with(names),
        **({} if address is None else {"AWS_ENDPOINT_URL": address}),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        forget_clients()
        yield Aws(names, environment, dynamodb, s3, sqs)
    forget_clients()
    for logical_id in definitions:
        dynamodb.delete_table(TableName=names[logical_id])
