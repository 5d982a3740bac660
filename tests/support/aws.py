"""AWS within the test's own process, made from template.yaml."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import _lru_cache_wrapper, cache
from typing import TYPE_CHECKING, Final

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from personas_tools.template import Function, TableRequest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION: Final = "eu-central-1"


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


@contextmanager
def tables_as_they_are(dynamodb: "DynamoDBClient") -> Iterator[None]:
    """Put all tables back, in the end, to what they hold now."""
    backend = get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][dynamodb.meta.region_name]
    before = backend.tables
    backend.tables = deepcopy(before)
    yield
    backend.tables = before


def forget() -> None:
    """Empty every ``functools.cache`` of the package, as a new execution environment would find them."""
    for cached in _cached(len(sys.modules)):
        cached.cache_clear()


@cache
def _cached(_modules: int) -> list["_lru_cache_wrapper[object]"]:
    """Return the functions of the package that have a cache; it is looked through again where a module has come."""
    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "personas"]
    values = [value for module in modules for value in list(vars(module).values())]
    return [value for value in values if isinstance(value, _lru_cache_wrapper)]


def lambda_environment(function: Function) -> dict[str, str]:
    """Return the variables that Lambda adds to a function's environment, as far as code may read them."""
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
    }
