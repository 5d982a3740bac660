"""template.yaml against the code that it deploys, and against what a linter does not see."""

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from personas.contract.registry import ROUTES
from personas.operations.refresh import TIME_FOR_A_GROUP
from personas.runtime import GATEWAY_WAITS
from personas.settings import Settings
from personas.store.queued_groups import QUEUE_TRIES
from personas_tools import monitoring, template
from personas_tools.template import Function, TableRequest
from personas_tools.template_nodes import Node
from support.aws import lambda_environment

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = ROOT / "template.yaml"


@pytest.fixture(scope="module")
def document() -> Mapping[str, Node]:
    return template.load(TEMPLATE)


@pytest.fixture(scope="module")
def resources(document: Mapping[str, Node]) -> dict[str, dict[str, Node]]:
    return {name: _mapping(node) for name, node in _mapping(document["Resources"]).items()}


def test_the_defaults_of_the_parameters_make_valid_settings(deployed_functions: Mapping[str, Function]) -> None:
    names = {
        "PersonasTable": "personas",
        "IdempotencyTable": "idempotency",
        "HistoryTable": "history",
        "Bucket": "bucket",
        "RefreshQueue": "https://sqs.test/queue",
    }
    function = deployed_functions["GetFunction"]
    settings = Settings.read(function.environment_with(names) | lambda_environment(function))
    stated = (settings.personas_table, settings.idempotency_table, settings.history_table, settings.bucket)
    assert (*stated, settings.refresh_queue_url) == tuple(names.values())
    assert settings.history_days == 365
    assert not settings.accepts_tokens


def test_functions_end_before_api_gateway_gives_up(deployed_functions: Mapping[str, Function]) -> None:
    # The refresh works through the queue as well. For a request it takes no longer than the others: see `personas.api`.
    # No caller waits for the readers of the stream.
    apart = {"RefreshFunction", "RecordHistoryFunction", "SendEventsFunction"}
    others = {name: function.timeout for name, function in deployed_functions.items() if name not in apart}
    assert {timedelta(seconds=timeout) for timeout in others.values()} == {GATEWAY_WAITS}


def test_the_queue_feeds_the_refresh(
    resources: Mapping[str, Mapping[str, Node]], deployed_functions: Mapping[str, Function]
) -> None:
    mapping = _mapping(resources["RefreshQueueMapping"]["Properties"])
    queue = _mapping(resources["RefreshQueue"]["Properties"])
    timeout = deployed_functions["RefreshFunction"].timeout
    assert mapping["FunctionName"] == {"Ref": "RefreshFunction.Alias"}
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["RefreshQueue", "Arn"]}
    batch, visible = mapping["BatchSize"], queue["VisibilityTimeout"]
    tries = _mapping(queue["RedrivePolicy"])["maxReceiveCount"]
    assert isinstance(batch, int)
    assert isinstance(visible, int)
    assert isinstance(tries, int)
    assert batch * TIME_FOR_A_GROUP <= timedelta(seconds=timeout)
    assert visible >= 6 * timeout
    assert tries * timedelta(seconds=visible) == QUEUE_TRIES


def test_what_follows_from_the_functions_is_as_it_is_written() -> None:
    assert monitoring.written(TEMPLATE) == TEMPLATE.read_text(encoding="utf-8"), "make monitoring"


def test_the_schedule_sends_what_the_handler_knows(resources: Mapping[str, Mapping[str, Node]]) -> None:
    function = _mapping(resources["RefreshFunction"]["Properties"])
    schedule = _mapping(_mapping(_mapping(function["Events"])["Schedule"])["Properties"])
    sent = json.loads((ROOT / "events/scheduled.json").read_text(encoding="utf-8"))
    assert json.loads(str(schedule["Input"])) == sent
    assert schedule["ScheduleExpression"] == "rate(15 minutes)"


def test_samconfig_sets_parameters_that_exist_for_stacks_of_their_own(document: Mapping[str, Node]) -> None:
    environments = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    del environments["version"]
    stacks = [each["deploy"]["parameters"] for each in environments.values()]
    assert len({stack["stack_name"] for stack in stacks}) == len(stacks)
    given = {pair.partition("=")[0] for stack in stacks for pair in stack["parameter_overrides"].split()}
    assert given <= set(_mapping(document["Parameters"]))


def test_neither_account_nor_region_is_written_down() -> None:
    for path in (TEMPLATE, ROOT / "samconfig.toml"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"\b\d{12}\b", text), path.name
        assert not re.findall(r"\b(?:us|eu|ap|sa|ca|af|me|il|mx)-[a-z]+-\d\b", text), path.name


def test_the_tables_are_those_of_the_design(table_definitions: Mapping[str, TableRequest]) -> None:
    personas = table_definitions["PersonasTable"]
    assert personas.ttl_attribute == "expires_at"
    assert personas.arguments["KeySchema"] == _keys("pk", "sk")
    assert personas.arguments["LocalSecondaryIndexes"] == [
        {
            "IndexName": "changes",
            "KeySchema": _keys("pk", "changed"),
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["row", "seq", "version", "deleted", "expires_at"],
            },
        }
    ]
    assert personas.arguments["GlobalSecondaryIndexes"] == [
        {"IndexName": "due", "KeySchema": _keys("due_shard", "due"), "Projection": {"ProjectionType": "KEYS_ONLY"}}
    ]
    history = table_definitions["HistoryTable"]
    assert history.ttl_attribute == "expires_at"
    assert history.arguments["KeySchema"] == _keys("pk", "sk")
    # The names that Powertools' DynamoDBPersistenceLayer expects by default.
    idempotency = table_definitions["IdempotencyTable"]
    assert idempotency.ttl_attribute == "expiration"
    assert idempotency.partition_key == "id"


def test_browsers_may_send_and_see_the_headers_of_the_contract() -> None:
    cors = template.cors(TEMPLATE)
    assert set(cors.allow_headers) == {
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "Mcp-Method",
        "Mcp-Name",
        "Mcp-Protocol-Version",
        "X-Api-Key",
        "X-MCP",
    }
    assert set(cors.expose_headers) == {
        "ETag",
        "Idempotent-Replayed",
        "Retry-After",
        "WWW-Authenticate",
        "apigw-requestid",
    }
    assert {operation.method for operation in ROUTES.values()} <= set(cors.allow_methods)
    assert "*" not in cors.allow_origins


def test_the_layer_ships_no_boto3() -> None:
    requirements = (ROOT / "layers/shared/requirements.txt").read_text(encoding="utf-8")
    names = set(re.findall(r"^([a-z0-9-]+)==", requirements, re.MULTILINE))
    assert names >= {"aws-lambda-powertools", "pydantic", "pyjwt", "cryptography"}
    assert not names & {"boto3", "botocore"}


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _mapping(node: Node) -> dict[str, Node]:
    assert isinstance(node, dict)
    return node
