"""The reader of template.yaml, so that tables, routes, environment and CORS are written down in one place only.

It understands what that file uses of CloudFormation and SAM, and refuses the rest with the place that it stands at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import yaml

from personas_tools.template_nodes import (
    Node,
    Ref,
    TemplateError,
    as_list,
    as_mapping,
    condition_of,
    defaults_of,
    integer_in,
    of_type,
    text_in,
    value_of,
    words_in,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef

_ARN: Final = ".Arn"
_CONDITIONS: Final = frozenset({"ForAllValues:StringLike", "StringLikeIfExists"})
_LONG_NAMES: Final = {"Ref": "Ref", "Condition": "Condition"}
_TABLE_PROPERTIES: Final = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
)


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the HTTP API."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A permission of a function. ``resource`` is a logical id, with the rest of the ARN after it where there is any.

    ``leading_keys`` are the patterns of partition keys that it is held to, ``prefixes`` those of what it may list of a
    bucket; none: it is not.
    """

    sid: str
    actions: tuple[str, ...]
    resource: str
    leading_keys: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function: its folder, ``handler`` as "module.function", ``timeout`` in seconds, ``memory`` in MB.

    One that has a ``condition`` is only in stacks whose parameters make it true.
    """

    logical_id: str
    folder: Path
    handler: str
    routes: tuple[Route, ...]
    environment: Mapping[str, str | Ref]
    timeout: int
    memory: int
    statements: tuple[Statement, ...]
    condition: str | None = None

    def environment_with(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return the environment where the resources have these physical ``names`` (by logical id).

        Raises:
            TemplateError: a resource that the environment refers to has no name.
        """
        result = {}
        for key, value in self.environment.items():
            if isinstance(value, Ref):
                if value.logical_id not in names:
                    raise TemplateError(f"{self.logical_id}: {key} needs the name of {value.logical_id}")
                result[key] = names[value.logical_id]
            else:
                result[key] = value
        return result


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule: the function that it invokes, and with which event."""

    function: str
    event: Node


@dataclass(frozen=True, slots=True)
class TableRequest:
    """The request for a table: the arguments of ``create_table`` but its name, and the attribute that expires items."""

    arguments: Mapping[str, Node]
    ttl_attribute: str | None

    @property
    def partition_key(self) -> str:
        """The attribute that the table is partitioned by."""
        for node in as_list(self.arguments.get("KeySchema"), "KeySchema"):
            key = as_mapping(node, "KeySchema")
            if key.get("KeyType") == "HASH":
                return text_in(key, "AttributeName", "KeySchema")
        raise TemplateError("KeySchema names no HASH key")

    def named(self, name: str) -> "CreateTableInputTypeDef":
        """Return the arguments of boto3's ``create_table`` for a table of this name."""
        return cast("CreateTableInputTypeDef", {"TableName": name, **self.arguments})


@dataclass(frozen=True, slots=True)
class Cors:
    """The CORS settings of the HTTP API; ``max_age`` in seconds."""

    allow_origins: tuple[str, ...]
    allow_methods: tuple[str, ...]
    allow_headers: tuple[str, ...]
    expose_headers: tuple[str, ...]
    max_age: int


def load(path: Path) -> Mapping[str, Node]:
    """Return the whole template, with the functions of CloudFormation spelt out.

    It is parsed once for all that read it, and nobody changes it.

    Raises:
        TemplateError: it is not a YAML mapping.
        OSError: it cannot be read.
    """
    return _parsed(path.name, path.read_text(encoding="utf-8"))


@lru_cache(maxsize=2)
def _parsed(name: str, text: str) -> dict[str, Node]:
    try:
        # The loader is a SafeLoader: it builds plain data only.
        document = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise TemplateError(f"{name} is not YAML: {error}") from error
    return as_mapping(document, name)


def table_requests(path: Path) -> dict[str, TableRequest]:
    """Return the tables of the template by logical id."""
    requests = {}
    for logical_id, properties in of_type(load(path), "AWS::DynamoDB::Table").items():
        ttl = properties.get("TimeToLiveSpecification")
        arguments: dict[str, Node] = {name: properties[name] for name in _TABLE_PROPERTIES if name in properties}
        if "StreamSpecification" in properties:
            stream = as_mapping(properties["StreamSpecification"], f"{logical_id}.StreamSpecification")
            arguments["StreamSpecification"] = {"StreamEnabled": True, **stream}
        requests[logical_id] = TableRequest(
            arguments=arguments,
            ttl_attribute=None
            if ttl is None
            else text_in(as_mapping(ttl, f"{logical_id}.TimeToLiveSpecification"), "AttributeName", logical_id),
        )
    return requests


def queues(path: Path) -> tuple[str, ...]:
    """Return the queues of the template, by logical id."""
    return tuple(of_type(load(path), "AWS::SQS::Queue"))


def schedules(path: Path) -> tuple[Schedule, ...]:
    """Return the schedules of the template; functions go by their logical ids."""
    found = []
    for logical_id, properties in of_type(load(path), "AWS::Serverless::Function").items():
        for name, node in as_mapping(properties.get("Events") or {}, f"{logical_id}.Events").items():
            place = f"{logical_id}.Events.{name}"
            event = as_mapping(node, place)
            if event.get("Type") == "ScheduleV2":
                settings = as_mapping(event.get("Properties"), place)
                found.append(Schedule(logical_id, json.loads(text_in(settings, "Input", place))))
    return tuple(found)


def functions(path: Path) -> dict[str, Function]:
    """Return the functions of the template by logical id, with what ``Globals`` gives all of them.

    Parameters stand in the environment with their defaults.
    """
    template = load(path)
    defaults = defaults_of(template)
    shared = as_mapping(as_mapping(template.get("Globals") or {}, "Globals").get("Function") or {}, "Globals.Function")
    found = {}
    for logical_id, own in of_type(template, "AWS::Serverless::Function").items():
        properties = {**shared, **own}
        found[logical_id] = Function(
            logical_id=logical_id,
            folder=path.parent / text_in(properties, "CodeUri", logical_id),
            handler=text_in(properties, "Handler", logical_id),
            routes=_routes(properties, logical_id),
            environment={
                name: value_of(node, defaults, f"{logical_id}.Environment.{name}")
                for source in (shared, own)
                for name, node in _variables(source, logical_id).items()
            },
            timeout=integer_in(properties, "Timeout", logical_id),
            memory=integer_in(properties, "MemorySize", logical_id),
            statements=_statements(properties, logical_id),
            condition=condition_of(template, logical_id),
        )
    return found


def cors(path: Path) -> Cors:
    """Return the CORS settings of the HTTP API, parameters at their defaults.

    Raises:
        TemplateError: there is not exactly one HTTP API, or it says nothing about CORS.
    """
    template = load(path)
    apis = of_type(template, "AWS::Serverless::HttpApi")
    if len(apis) != 1:
        raise TemplateError(f"{path.name} has {len(apis)} HTTP APIs, and exactly one is expected")
    ((logical_id, properties),) = apis.items()
    where = f"{logical_id}.CorsConfiguration"
    settings = as_mapping(properties.get("CorsConfiguration"), where)
    defaults = defaults_of(template)
    return Cors(
        allow_origins=words_in(settings, "AllowOrigins", where, defaults),
        allow_methods=words_in(settings, "AllowMethods", where, defaults),
        allow_headers=words_in(settings, "AllowHeaders", where, defaults),
        expose_headers=words_in(settings, "ExposeHeaders", where, defaults),
        max_age=integer_in(settings, "MaxAge", where),
    )


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Node]:
    argument: Node
    if isinstance(node, yaml.ScalarNode):
        argument = cast("Node", loader.construct_scalar(node))
    elif isinstance(node, yaml.SequenceNode):
        argument = cast("Node", loader.construct_sequence(node, deep=True))
    elif isinstance(node, yaml.MappingNode):
        argument = cast("Node", loader.construct_mapping(node, deep=True))
    else:
        raise TemplateError(f"!{suffix} of {node.tag} is not read")
    if suffix == "GetAtt" and isinstance(argument, str):
        logical_id, _, attribute = argument.partition(".")
        argument = [logical_id, attribute]
    return {_LONG_NAMES.get(suffix, f"Fn::{suffix}"): argument}


_Loader.add_multi_constructor("!", _function)


def _variables(properties: Mapping[str, Node], where: str) -> dict[str, Node]:
    environment = as_mapping(properties.get("Environment") or {}, f"{where}.Environment")
    return as_mapping(environment.get("Variables") or {}, f"{where}.Environment.Variables")


def _routes(properties: Mapping[str, Node], where: str) -> tuple[Route, ...]:
    routes = []
    for name, node in as_mapping(properties.get("Events") or {}, f"{where}.Events").items():
        event = as_mapping(node, f"{where}.Events.{name}")
        if event.get("Type") == "HttpApi":
            place = f"{where}.Events.{name}.Properties"
            settings = as_mapping(event.get("Properties"), place)
            routes.append(Route(text_in(settings, "Method", place).upper(), text_in(settings, "Path", place)))
    return tuple(routes)


def _statements(properties: Mapping[str, Node], where: str) -> tuple[Statement, ...]:
    statements = []
    for policy in as_list(properties.get("Policies") or [], f"{where}.Policies"):
        document = as_mapping(policy, f"{where}.Policies")
        for node in as_list(document.get("Statement"), f"{where}.Policies.Statement"):
            statement = as_mapping(node, f"{where}.Policies.Statement")
            sid = text_in(statement, "Sid", f"{where}.Policies.Statement")
            place = f"{where}.{sid}"
            if statement.get("Effect") != "Allow":
                raise TemplateError(f"{place}: only Allow is read")
            statements.append(
                Statement(
                    sid=sid,
                    actions=words_in(statement, "Action", place),
                    resource=_resource(statement.get("Resource"), place),
                    leading_keys=_condition(statement, "ForAllValues:StringLike", "dynamodb:LeadingKeys", place),
                    prefixes=_condition(statement, "StringLikeIfExists", "s3:prefix", place),
                )
            )
    return tuple(statements)


def _resource(node: Node, where: str) -> str:
    """Return ``!GetAtt X.Arn`` as "X", ``!Sub "${X.Arn}/rest"`` as "X/rest", an ARN that ends in ``${X}`` as "X"."""
    match node:
        case {"Fn::GetAtt": [str(logical_id), "Arn"]}:
            return logical_id
        case {"Fn::Sub": str(text)} if text.startswith("${") and f"{_ARN}}}" in text:
            logical_id, _, rest = text.removeprefix("${").partition(f"{_ARN}}}")
            return logical_id + rest
        case {"Fn::Sub": str(text)} if text.startswith("arn:${AWS::Partition}:") and text.endswith("}"):
            return text.rpartition("${")[2].removesuffix("}")
    raise TemplateError(f"{where}.Resource is not the ARN of a resource of this template")


def _condition(statement: Mapping[str, Node], operator: str, key: str, where: str) -> tuple[str, ...]:
    """Return the patterns that a statement holds a key to; none where it has no such condition."""
    condition = as_mapping(statement.get("Condition") or {}, f"{where}.Condition")
    if not condition.keys() <= _CONDITIONS:
        raise TemplateError(f"{where}.Condition is not read")
    keys = as_mapping(condition.get(operator) or {}, f"{where}.Condition")
    return words_in(keys, key, f"{where}.Condition") if keys else ()
