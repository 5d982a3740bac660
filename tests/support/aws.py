"""AWS within the test's own process, made from template.yaml."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from moto.core.model_instances import reset_model_data
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from personas import runtime, services
from personas.clock import machine_time
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
def as_it_is(aws: Aws) -> Iterator[None]:
    """Put the tables back, in the end, to what they hold now, and empty the bucket and the queues.

    All of it is done to moto's own dictionaries: requests would take longer than many a test.
    """
    backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION]
    before = backend.tables
    backend.tables = deepcopy(before)
    yield
    backend.tables = before
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[aws.names["Bucket"]]
    for key in list(bucket.keys):
        bucket.keys.pop(key)
    bucket.multiparts.clear()
    for queue in sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues.values():
        queue._messages.clear()
        queue._pending_messages.clear()
    reset_model_data()  # moto remembers each copy of an item that it has ever made


def forget() -> None:
    """Begin the next call in a new execution environment: it remembers nothing, and has heard nothing of AWS.

    The clients and threads stay, for they take longer to make than most calls; ``forget_clients`` has the former made
    again.
    """
    for remembered in (services.services, runtime.deadline):
        remembered.cache_clear()
    runtime.clock().machine, runtime.clock().correction = machine_time, timedelta()


def forget_clients() -> None:
    """Begin in a new environment whose clients are of other variables, settings or descriptions of AWS."""
    forget()
    for made in (runtime.dynamodb, runtime.s3, runtime.sqs, runtime.events, runtime._session, runtime.clock):
        made.cache_clear()


def lambda_environment(function: Function) -> dict[str, str]:
    """Return the variables that Lambda adds to a function's environment, as far as code may read them."""
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
    }
