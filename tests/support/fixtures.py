"""Fixtures of all tests on moto: a group with its people, an issuer of tokens, a clock to move, and a faster moto.

Whatever a function answers in a test is held to docs/openapi.json.
"""

import base64
import gzip
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from personas.observability import logger
from personas.runtime import Deadline, dynamodb, events, s3, sqs
from personas.store.table import Table
from personas_tools.template import Function, TableRequest
from support import network
from support.aws import REGION, Aws, as_it_is, create_tables, forget, lambda_environment
from support.client import Answer, Client
from support.described import described
from support.emulated import emulated_aws
from support.iam import Guard
from support.issuer import Issuer, serving
from support.server import demo_service
from support.streamed import Streamed
from support.warm import unguarded_world
from support.world import Clock, World, load_group

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@pytest.fixture(scope="session", autouse=True)
def _answers_as_described() -> Iterator[None]:
    """Hold each answer of a function in any test to docs/openapi.json."""
    invoke = Client.invoke

    def held(client: Client, operation: str, raw: dict[str, Any]) -> Answer:
        answer = invoke(client, operation, raw)
        line = raw["requestContext"]["http"]
        if described().operation(line["method"], line["path"]) is not None:
            zipped = answer.headers.get("Content-Encoding") == "gzip"
            body = gzip.decompress(base64.b64decode(answer.text)).decode() if zipped else answer.text
            faults = described().answer_faults(line["method"], line["path"], answer.status, answer.headers, body)
            assert not faults, f"{operation} answered {answer.status}, and openapi.json says otherwise: {faults}"
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "invoke", held)
        yield


@pytest.fixture(scope="session")
def _onlookers() -> tuple["DynamoDBClient", "S3Client", "SQSClient"]:
    """Make the clients by which tests look at AWS once: botocore reads its descriptions of AWS for each."""
    session = boto3.Session()
    return session.client("dynamodb"), session.client("s3"), session.client("sqs")


@pytest.fixture(scope="module")
def cloud(
    _onlookers: tuple["DynamoDBClient", "S3Client", "SQSClient"],
    table_definitions: Mapping[str, TableRequest],
    deployed_functions: Mapping[str, Function],
    queue_ids: Sequence[str],
) -> Iterator[Aws]:
    """Provide AWS in this process for all tests of a module; ``aws`` takes away what each has added."""
    dynamodb, s3, sqs = _onlookers
    with mock_aws():
        names = {**{logical_id: f"test-{logical_id}" for logical_id in table_definitions}, "Bucket": "test-bucket"}
        # Ref of a queue is its address, which is the same whenever it is made.
        names |= {logical_id: sqs.create_queue(QueueName=f"test-{logical_id}")["QueueUrl"] for logical_id in queue_ids}
        function = next(iter(deployed_functions.values()))
        create_tables(dynamodb, table_definitions, names)
        s3.create_bucket(Bucket=names["Bucket"], CreateBucketConfiguration={"LocationConstraint": REGION})
        yield Aws(names, function.environment_with(names) | lambda_environment(function), dynamodb, s3, sqs)


@pytest.fixture
def aws(cloud: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Provide empty tables, bucket and queues in this process; the environment is a function's."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    forget()
    with as_it_is(cloud):
        yield cloud
    forget()


@pytest.fixture
def iam(
    aws: Aws, table_definitions: Mapping[str, TableRequest], deployed_functions: Mapping[str, Function]
) -> Iterator[Guard]:
    """Provide the policies of template.yaml, enforced within ``with iam.acting_as("CreateFunction")``."""
    partition_keys = {aws.names[logical_id]: request.partition_key for logical_id, request in table_definitions.items()}
    guard = Guard(deployed_functions, aws.names, partition_keys)
    with guard.watching(dynamodb(), events(), s3(), sqs()):
        yield guard


@pytest.fixture
def world(aws: Aws, iam: Guard) -> World:
    """Provide a group with a catalogue and no personas yet; its functions run under the policies of template.yaml."""
    load_group(aws)
    return World(aws, iam)


@pytest.fixture
def over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send calls of moto's DynamoDB as requests, for tests of these: of their number, or of their answers' dates."""
    monkeypatch.setattr(network, "over_http", True)


@pytest.fixture(scope="module")
def emulated(
    ministack: str, table_definitions: Mapping[str, TableRequest], deployed_functions: Mapping[str, Function]
) -> Iterator[World]:
    """Provide a group on the emulator for all tests of a module, without enforced policies."""
    with emulated_aws(ministack, table_definitions, deployed_functions) as aws:
        yield unguarded_world(aws)


service = pytest.fixture(scope="session")(demo_service)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Provide the time as the functions see it."""
    moved = Clock()
    monkeypatch.setattr("personas.services.utc_now", moved)
    return moved


@pytest.fixture
def table(aws: Aws, clock: Clock) -> Table:
    """Provide the empty table of personas, whose time is the clock's."""
    return Table(dynamodb(), aws.names["PersonasTable"], clock, Deadline())


@pytest.fixture
def stream(world: World) -> Streamed:
    """Provide the stream of what is written, and the function that records it."""
    return Streamed(world.aws, world.guard)


@pytest.fixture
def small_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clean-up of a refresh look at one part of the text directory only: it has tests of its own."""
    monkeypatch.setattr("personas.operations.maintenance.TEXT_SHARDS", 1)


@pytest.fixture
def logged(world: World, capsys: pytest.CaptureFixture[str]) -> Iterator[io.StringIO]:
    """Provide the lines of the functions' log, without metrics."""
    stream = io.StringIO()
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    yield stream
    if before is not None:
        handler.setStream(before)


@pytest.fixture(scope="session")
def _issuer() -> Iterator[Issuer]:
    with serving() as issuer:
        yield issuer


@pytest.fixture
def issuer(_issuer: Issuer, world: World, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    """Provide an issuer of bearer tokens that the functions trust."""
    _issuer.reset()
    for name, value in {**_issuer.environment, "no_proxy": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    world.restart()
    return _issuer
