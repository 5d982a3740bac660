"""AWS within the test's own process, made from template.yaml."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from personas_tools.template import Function, TableRequest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION: Final = "eu-central-1"

_CACHED: Final = type(cache(int))


@dataclass(frozen=True)
class Aws:
    """AWS within this process, with the resources of template.yaml and clients for looking at them.

    ``names`` are the physical names by logical id, those of queues their addresses; ``environment`` is what every
    function is given.
    """

    names: Mapping[str, str]
    environment: Mapping[str, str]
    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    sqs: "SQSClient"


def create_tables(
    dynamodb: "DynamoDBClient", definitions: Mapping[str, TableRequest], names: Mapping[str, str]
) -> None:
    """Make the tables under the physical ``names``, TTL included."""
    for logical_id, request in definitions.items():
        dynamodb.create_table(**request.named(names[logical_id]))
        if request.ttl_attribute:
            dynamodb.update_time_to_live(
                TableName=names[logical_id],
                TimeToLiveSpecification={"Enabled": True, "AttributeName": request.ttl_attribute},
            )


def forget() -> None:
    """Empty every ``functools.cache`` of the package, as a new execution environment would find them."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "personas":
            for value in list(vars(module).values()):
                if isinstance(value, _CACHED):
                    value.cache_clear()


def lambda_environment(function: Function) -> dict[str, str]:
    """Return the variables that Lambda adds to a function's environment, as far as code may read them."""
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
    }
