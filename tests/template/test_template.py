"""template.yaml against the code that it deploys, and against what a linter does not see."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from personas.api import GATEWAY_WAITS
from personas.contract.registry import ROUTES
from personas.operations.refresh import TIME_FOR_A_GROUP
from personas.settings import Settings
from personas.store.exports import EXPORT_LIFE
from personas.view.snapshot import SUPERSEDED
from personas_tools import monitoring, template
from personas_tools.template import Function, Node, Route, TableRequest
from support.aws import lambda_environment

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = ROOT / "template.yaml"

POWERTOOLS: Final = {
    "POWERTOOLS_SERVICE_NAME": "personas",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}

TABLE, CHANGES, LOCKS = "PersonasTable", "PersonasTable/index/changes", "IdempotencyTable"
IDENTITY: Final = (TABLE, "BatchGetItem", ("key#*", "profile#*"))
FEED: Final = (CHANGES, "Query", ("group#*",))
IDEMPOTENCY: Final = (LOCKS, "DeleteItem GetItem PutItem UpdateItem", ())
TEXTS: Final = (TABLE, "BatchGetItem BatchWriteItem", ("text#*",))
VIEWS: Final = "Bucket/views/*"
FILES: Final = "Bucket/exports/*"
LISTING: Final = ("Bucket", "s3:ListBucket", ("views/*",))

ALLOWED: Final = {
    "GetFunction": {
        IDENTITY,
        FEED,
        LISTING,
        (TABLE, "GetItem", ("draft#*", "group#*")),
        (VIEWS, "s3:GetObject", ()),
    },
    "CreateFunction": {IDENTITY, FEED, TEXTS, IDEMPOTENCY, (TABLE, "BatchGetItem GetItem PutItem", ("group#*",))},
    "UpdateFunction": {
        IDENTITY,
        FEED,
        TEXTS,
        IDEMPOTENCY,
        (TABLE, "BatchGetItem GetItem PutItem UpdateItem", ("group#*",)),
    },
    "DuplicateFunction": {
        IDENTITY,
        IDEMPOTENCY,
        (TABLE, "GetItem PutItem UpdateItem", ("group#*",)),
        (TABLE, "BatchWriteItem", ("text#*",)),
    },
    "DeleteFunction": {IDENTITY, IDEMPOTENCY, (TABLE, "BatchGetItem GetItem PutItem UpdateItem", ("group#*",))},
    "DraftFunction": {IDENTITY, FEED, TEXTS, IDEMPOTENCY, (TABLE, "PutItem UpdateItem", ("draft#*",))},
    "DraftsFunction": {IDENTITY, (CHANGES, "Query", ("draft#*",))},
    "DocsFunction": {IDENTITY, (TABLE, "GetItem", ("group#*",))},
    "SearchFunction": {
        IDENTITY,
        FEED,
        LISTING,
        (TABLE, "GetItem", ("group#*",)),
        (VIEWS, "s3:GetObject", ()),
        ("RefreshQueue", "sqs:SendMessage", ()),
    },
    "ExportFunction": {
        IDENTITY,
        FEED,
        LISTING,
        (TABLE, "BatchGetItem GetItem", ("group#*",)),
        (TABLE, "PutItem", ("export#*",)),
        (VIEWS, "s3:GetObject", ()),
        (FILES, "s3:AbortMultipartUpload s3:PutObject", ()),
        ("RefreshQueue", "sqs:SendMessage", ()),
    },
    "DownloadFunction": {IDENTITY, (TABLE, "GetItem", ("export#*",)), (FILES, "s3:GetObject", ())},
    "RefreshFunction": {
        IDENTITY,
        FEED,
        LISTING,
        ("PersonasTable/index/due", "Query", ("0",)),
        (TABLE, "BatchGetItem DeleteItem GetItem PutItem Query", ("group#*",)),
        (TABLE, "Query", ("draft#*",)),
        (CHANGES, "Query", ("draft#*",)),
        (TABLE, "DeleteItem Query", ("text#*",)),
        (VIEWS, "s3:AbortMultipartUpload s3:GetObject s3:PutObject s3:PutObjectTagging", ()),
        ("RefreshQueue", "sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage sqs:SendMessage", ()),
    },
}
"""All that each function may do: resource, actions, patterns of partition keys or of what is listed of a bucket."""

PHYSICAL_NAMES: Final = frozenset(
    {
        "AlarmName",
        "BucketName",
        "DashboardName",
        "FunctionName",
        "LayerName",
        "LogGroupName",
        "Name",
        "PolicyName",
        "QueueName",
        "RoleName",
        "TableName",
        "TopicName",
    }
)


@pytest.fixture(scope="module")
def document() -> dict[str, Node]:
    return template.load(TEMPLATE)


@pytest.fixture(scope="module")
def resources(document: Mapping[str, Node]) -> dict[str, dict[str, Node]]:
    return {name: _mapping(node) for name, node in _mapping(document["Resources"]).items()}


def test_every_function_folder_has_one_function_and_the_other_way_round(
    deployed_functions: Mapping[str, Function],
) -> None:
    folders = sorted(path.parent for path in (ROOT / "functions").glob("*/handler.py"))
    assert sorted(function.folder for function in deployed_functions.values()) == folders
    assert {function.handler for function in deployed_functions.values()} == {"handler.lambda_handler"}


def test_a_function_is_named_after_its_folder(deployed_functions: Mapping[str, Function]) -> None:
    assert set(deployed_functions) == {
        f"{function.folder.name.capitalize()}Function" for function in deployed_functions.values()
    }


def test_routes_are_those_of_the_registry(deployed_functions: Mapping[str, Function]) -> None:
    routes = {function.folder.name: function.routes for function in deployed_functions.values()}
    expected = {name: (Route(operation.method, operation.path),) for name, operation in ROUTES.items()}
    assert routes == expected


def test_every_route_is_of_the_one_api_in_format_2(resources: Mapping[str, Mapping[str, Node]]) -> None:
    for properties in _of_type(resources, "AWS::Serverless::Function").values():
        for event in map(_mapping, _mapping(properties.get("Events")).values()):
            settings = _mapping(event["Properties"])
            if event["Type"] == "HttpApi":
                assert settings["ApiId"] == {"Ref": "Api"}
                assert settings["PayloadFormatVersion"] == "2.0"


def test_the_environment_is_what_the_settings_read(deployed_functions: Mapping[str, Function]) -> None:
    # What begins with AWS_ is given by Lambda itself and cannot be set.
    aliases = {str(field.alias) for field in Settings.model_fields.values() if not str(field.alias).startswith("AWS_")}
    for function in deployed_functions.values():
        assert set(function.environment) == aliases | set(POWERTOOLS)
        assert function.environment.items() >= POWERTOOLS.items()


def test_the_defaults_of_the_parameters_make_valid_settings(deployed_functions: Mapping[str, Function]) -> None:
    names = {
        "PersonasTable": "personas",
        "IdempotencyTable": "idempotency",
        "Bucket": "bucket",
        "RefreshQueue": "https://sqs.test/queue",
    }
    function = deployed_functions["GetFunction"]
    settings = Settings.read(function.environment_with(names) | lambda_environment(function))
    stated = (settings.personas_table, settings.idempotency_table, settings.bucket, settings.refresh_queue_url)
    assert stated == tuple(names.values())
    assert not settings.accepts_tokens


def test_functions_end_before_api_gateway_gives_up(deployed_functions: Mapping[str, Function]) -> None:
    # The refresh works through the queue as well. For a request it takes no longer than the others: see `personas.api`.
    others = {name: function.timeout for name, function in deployed_functions.items() if name != "RefreshFunction"}
    assert set(others.values()) == {29}
    assert timedelta(seconds=29) == GATEWAY_WAITS


def test_the_queue_feeds_the_refresh(
    resources: Mapping[str, Mapping[str, Node]], deployed_functions: Mapping[str, Function]
) -> None:
    mapping = _mapping(resources["RefreshQueueMapping"]["Properties"])
    queue = _mapping(resources["RefreshQueue"]["Properties"])
    timeout = deployed_functions["RefreshFunction"].timeout
    assert mapping["FunctionName"] == {"Ref": "RefreshFunction"}
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["RefreshQueue", "Arn"]}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    batch, visible = mapping["BatchSize"], queue["VisibilityTimeout"]
    assert isinstance(batch, int)
    assert isinstance(visible, int)
    assert batch * TIME_FOR_A_GROUP <= timedelta(seconds=timeout)
    assert visible >= 6 * timeout
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["RefreshDeadLetters", "Arn"]},
        "maxReceiveCount": 3,
    }


def test_what_follows_from_the_functions_is_as_it_is_written() -> None:
    assert monitoring.written(TEMPLATE) == TEMPLATE.read_text(encoding="utf-8"), "make monitoring"


def test_the_schedule_sends_what_the_handler_knows(resources: Mapping[str, Mapping[str, Node]]) -> None:
    function = _mapping(resources["RefreshFunction"]["Properties"])
    schedule = _mapping(_mapping(_mapping(function["Events"])["Schedule"])["Properties"])
    sent = json.loads((ROOT / "events/scheduled.json").read_text(encoding="utf-8"))
    assert json.loads(str(schedule["Input"])) == sent
    assert schedule["ScheduleExpression"] == "rate(15 minutes)"


def test_only_what_is_superseded_expires_among_the_views(resources: Mapping[str, Mapping[str, Node]]) -> None:
    lifecycle = _mapping(_mapping(resources["Bucket"]["Properties"])["LifecycleConfiguration"])
    rules = {str(_mapping(rule)["Id"]): _mapping(rule) for rule in _items(lifecycle["Rules"])}
    assert rules["superseded-views"]["Prefix"] == "views/"
    assert rules["superseded-views"]["TagFilters"] == [SUPERSEDED["TagSet"][0]]
    assert rules["superseded-views"]["ExpirationInDays"] == 1
    assert {name: rule["Prefix"] for name, rule in rules.items() if "ExpirationInDays" in rule} == {
        "superseded-views": "views/",
        "exports": "exports/",
    }


def test_exports_expire_with_their_records(resources: Mapping[str, Mapping[str, Node]]) -> None:
    lifecycle = _mapping(_mapping(resources["Bucket"]["Properties"])["LifecycleConfiguration"])
    (rule,) = (_mapping(rule) for rule in _items(lifecycle["Rules"]) if _mapping(rule)["Id"] == "exports")
    assert (rule["Prefix"], rule["ExpirationInDays"]) == ("exports/", EXPORT_LIFE.days)


def test_every_function_may_do_exactly_this(deployed_functions: Mapping[str, Function]) -> None:
    stated = {
        logical_id: {
            (
                statement.resource,
                " ".join(action.removeprefix("dynamodb:") for action in statement.actions),
                statement.leading_keys or statement.prefixes,
            )
            for statement in function.statements
        }
        for logical_id, function in deployed_functions.items()
    }
    assert stated == ALLOWED


def test_policies_are_literal(resources: Mapping[str, Mapping[str, Node]]) -> None:
    for logical_id, properties in _of_type(resources, "AWS::Serverless::Function").items():
        assert "Role" not in properties, logical_id
        for policy in _items(properties["Policies"]):
            assert set(_mapping(policy)) == {"Version", "Statement"}, f"{logical_id} uses a policy template"


def test_every_reference_names_something_that_exists(document: Mapping[str, Node]) -> None:
    known = set(_mapping(document["Resources"])) | set(_mapping(document["Parameters"]))
    dangling = {name for name in _references(document) if not name.startswith("AWS::") and name not in known}
    assert not dangling


def test_two_stacks_cannot_collide(resources: Mapping[str, Mapping[str, Node]], document: Mapping[str, Node]) -> None:
    named = {
        f"{logical_id}.{name}": value
        for logical_id, resource in resources.items()
        for name, value in _physical_names(_mapping(resource["Properties"]))
    }
    for place, value in named.items():
        if isinstance(value, dict) and "Ref" in value:
            continue  # the name of another resource of this stack
        text = value.get("Fn::Sub") if isinstance(value, dict) else value
        assert "${AWS::StackName}" in str(text), f"{place} is the same in every stack"
    # SAM names a layer after its logical id if nothing else is said.
    assert "SharedLayer.LayerName" in named
    assert not [name for name, output in _mapping(document["Outputs"]).items() if "Export" in _mapping(output)]


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
    # What Powertools' DynamoDBPersistenceLayer expects where nothing else is said.
    idempotency = table_definitions["IdempotencyTable"]
    assert idempotency.ttl_attribute == "expiration"
    assert idempotency.partition_key == "id"


def test_what_people_made_outlives_the_stack(resources: Mapping[str, Mapping[str, Node]]) -> None:
    for logical_id in ("PersonasTable", "Bucket"):
        assert resources[logical_id]["DeletionPolicy"] == "Retain"
        assert resources[logical_id]["UpdateReplacePolicy"] == "Retain"
    recovery = _mapping(_mapping(resources["PersonasTable"]["Properties"])["PointInTimeRecoverySpecification"])
    assert recovery == {"PointInTimeRecoveryEnabled": True}


def test_everything_at_rest_is_encrypted(resources: Mapping[str, Mapping[str, Node]]) -> None:
    for logical_id, properties in _of_type(resources, "AWS::DynamoDB::Table").items():
        assert properties.get("SSESpecification") == {"SSEEnabled": True}, logical_id
    for logical_id, properties in _of_type(resources, "AWS::S3::Bucket").items():
        assert "BucketEncryption" in properties, logical_id
    for logical_id, properties in _of_type(resources, "AWS::SQS::Queue").items():
        assert properties.get("SqsManagedSseEnabled") is True, logical_id


def test_the_bucket_is_private_and_speaks_tls_only(resources: Mapping[str, Mapping[str, Node]]) -> None:
    block = _mapping(_mapping(resources["Bucket"]["Properties"])["PublicAccessBlockConfiguration"])
    assert block == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    policy = _mapping(_mapping(resources["BucketPolicy"]["Properties"])["PolicyDocument"])
    (statement,) = map(_mapping, _items(policy["Statement"]))
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}]


def test_browsers_may_send_and_see_the_headers_of_the_contract() -> None:
    cors = template.cors(TEMPLATE)
    assert set(cors.allow_headers) == {
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "X-Api-Key",
        "X-MCP",
    }
    assert set(cors.expose_headers) == {"ETag", "Retry-After", "WWW-Authenticate", "apigw-requestid"}
    assert {operation.method for operation in ROUTES.values()} <= set(cors.allow_methods)
    assert "*" not in cors.allow_origins


def test_the_layer_ships_exact_versions_and_no_boto3() -> None:
    lines = (ROOT / "layers/shared/requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert names >= {"aws-lambda-powertools", "pydantic", "pyjwt", "cryptography"}
    assert not names & {"boto3", "botocore"}
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+( ;.+)?", line) for line in lines)


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _of_type(resources: Mapping[str, Mapping[str, Node]], kind: str) -> dict[str, dict[str, Node]]:
    return {name: _mapping(resource["Properties"]) for name, resource in resources.items() if resource["Type"] == kind}


def _physical_names(properties: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    """The properties of a resource that name it, and those of its SAM events."""
    for name in PHYSICAL_NAMES & properties.keys():
        yield name, properties[name]
    for event, node in _mapping(properties.get("Events") or {}).items():
        settings = _mapping(_mapping(node)["Properties"])
        # SAM names a schedule after the function and the event alone if nothing else is said.
        if _mapping(node)["Type"] == "ScheduleV2" or "Name" in settings:
            yield f"{event}.Name", settings.get("Name")


def _references(node: Node | Mapping[str, Node]) -> Iterator[str]:
    """The logical ids and parameters that a part of the template refers to."""
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)
    if not isinstance(node, Mapping):
        return
    for name, inner in node.items():
        match name, inner:
            case "Ref", str():
                yield inner
            case "Fn::GetAtt", [str(logical_id), *_]:
                yield logical_id
            case "Fn::Sub", str():
                yield from (place.partition(".")[0] for place in re.findall(r"\$\{([^!}][^}]*)\}", inner))
            case _:
                yield from _references(inner)


def _mapping(node: Node) -> dict[str, Node]:
    assert isinstance(node, dict)
    return node


def _items(node: Node) -> list[Node]:
    assert isinstance(node, list)
    return node
