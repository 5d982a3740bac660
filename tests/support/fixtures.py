"""Fixtures of all tests on moto: a group with its people, an issuer of tokens, a clock to move, and a faster moto.

Whatever a function answers in a test is held to docs/openapi.json.
"""

import base64
import gzip
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from threading import RLock
from typing import Any

import boto3
import botocore.loaders
import pytest
from botocore.hooks import EventAliaser
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.common_types import TYPE_RESPONSE
from moto.core.serialize import AttributePicker, AttributePickerContext

from personas.observability import logger
from personas.runtime import _Data
from personas_tools.template import Function, TableRequest
from support.aws import REGION, Aws, create_tables, forget, lambda_environment, tables_as_they_are
from support.client import Answer, Client
from support.described import described
from support.iam import Guard
from support.issuer import Issuer, serving
from support.moto_directly import narrow_queries
from support.streamed import Streamed
from support.world import Clock, World, load_group


@pytest.fixture(scope="session", autouse=True)
def _one_loader() -> Iterator[None]:
    """Share one reader of AWS's service models among all sessions of boto3: reading them is slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(botocore.loaders.create_loader))
        data = _Data()
        patch.setattr("personas.runtime._Data", lambda: data)  # no cache, which `forget` would empty
        yield


@pytest.fixture(scope="session", autouse=True)
def _names_of_events() -> Iterator[None]:
    """Look up each of botocore's names of events once: every new client looks up all of them."""
    look_up = vars(EventAliaser)["_alias_event_name"]
    known: dict[str, str] = {}

    def once(aliaser: EventAliaser, event_name: str) -> str:
        if event_name not in known:
            known[event_name] = look_up(aliaser, event_name)
        return known[event_name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventAliaser, "_alias_event_name", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_request_at_a_time() -> Iterator[None]:
    """Let moto answer one request at a time: its tables are plain dicts, called by the functions from many threads."""
    lock, answer = RLock(), BotocoreStubber.process_request

    def alone(stubber: BotocoreStubber, request: Any) -> TYPE_RESPONSE | None:
        with lock:
            return answer(stubber, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "process_request", alone)
        yield


@pytest.fixture(scope="session", autouse=True)
def _plain_attribute_values() -> Iterator[None]:
    """Put attribute values into an answer as they are; the search for their other names takes half of the time."""
    pick = AttributePicker.__call__

    def plainly(picker: AttributePicker, context: AttributePickerContext) -> object:
        parent = getattr(context.shape, "parent", None)
        if type(context.obj) is dict and parent is not None and parent.name == "AttributeValue":
            return context.obj.get(context.key)
        return pick(picker, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AttributePicker, "__call__", plainly)
        yield


@pytest.fixture(scope="session", autouse=True)
def _narrow_queries() -> Iterator[None]:
    """Let moto look at no more of a table than a Query asks for."""
    with narrow_queries():
        yield


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


@pytest.fixture(scope="module")
def cloud(
    table_definitions: Mapping[str, TableRequest], deployed_functions: Mapping[str, Function], queue_ids: Sequence[str]
) -> Iterator[tuple[Aws, Guard]]:
    """Provide AWS with a group, and its guard, for all tests of a module; ``world`` takes away what each has added."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        names = {**{logical_id: f"test-{logical_id}" for logical_id in table_definitions}, "Bucket": "test-bucket"}
        sqs = boto3.client("sqs")
        # Ref of a queue is its address, which is the same whenever it is made.
        names |= {logical_id: sqs.create_queue(QueueName=f"test-{logical_id}")["QueueUrl"] for logical_id in queue_ids}
        function = next(iter(deployed_functions.values()))
        environment = function.environment_with(names) | lambda_environment(function)
        for name, value in environment.items():
            patch.setenv(name, value)
        # AWS lets a queue be purged once a minute.
        patch.setenv("MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR", "false")
        aws = Aws(names, environment, boto3.client("dynamodb"), boto3.client("s3"), sqs)
        aws.s3.create_bucket(Bucket=names["Bucket"], CreateBucketConfiguration={"LocationConstraint": REGION})
        partition_keys = {names[logical_id]: request.partition_key for logical_id, request in table_definitions.items()}
        guard = Guard(deployed_functions, names, partition_keys)
        create_tables(aws.dynamodb, table_definitions, names)
        load_group(aws)
        # The clients above are of the session before, and nobody guards them.
        with guard.watching():
            yield aws, guard


@pytest.fixture
def world(cloud: tuple[Aws, Guard], queue_ids: Sequence[str]) -> Iterator[World]:
    """Provide a group with a catalogue and no personas yet; its functions run under the policies of template.yaml."""
    aws, guard = cloud
    forget()
    with tables_as_they_are(aws.dynamodb):
        yield World(aws, guard)
    for listed in aws.s3.list_objects_v2(Bucket=aws.names["Bucket"]).get("Contents", []):
        aws.s3.delete_object(Bucket=aws.names["Bucket"], Key=listed["Key"])
    for logical_id in queue_ids:
        aws.sqs.purge_queue(QueueUrl=aws.names[logical_id])
    forget()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Provide the time as the functions see it."""
    moved = Clock()
    monkeypatch.setattr("personas.services.utc_now", moved)
    return moved


@pytest.fixture
def stream(world: World) -> Streamed:
    """Provide the stream of what is written, and the function that records it."""
    return Streamed(world.aws, world.guard)


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
