"""The rules for how the stack is deployed and held: throttles of routes, bounds, aliases and their guards.

As in ``template_checks``, a check yields a sentence for each fault, and nothing if the rule holds.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from personas.contract.base import ITEMS_MAX
from personas.contract.registry import ROUTES
from personas_tools.template_nodes import Node, TemplateError
from support.deployed import Deployed, items, mapping
from support.template_checks import Check

LONG: Final = frozenset({"export", "refresh"})
"""Operations that hold a function for seconds, whatever they are sent."""


def long_calls_have_throttles_of_their_own(deployed: Deployed) -> Iterator[str]:
    """Check that routes of long calls are throttled by numbers of their own, and that each setting names a route."""
    known = {f"{route.method} {route.path}" for route in ROUTES.values()}
    long = {
        f"{route.method} {route.path}"
        for name, route in ROUTES.items()
        if name in LONG or (route.request is not None and _takes_many(route.request.model_json_schema()))
    }
    for name, stage in deployed.of_type("AWS::ApiGatewayV2::Stage").items():
        settings = mapping(stage.get("RouteSettings", {}))
        yield from (f"{name} has settings for {key}, which is no route" for key in sorted(settings.keys() - known))
        for key in sorted(long):
            own = mapping(settings.get(key, {}))
            rate, burst = own.get("ThrottlingRateLimit"), own.get("ThrottlingBurstLimit")
            # Numbers as they are: CloudFormation passes these settings on unread, where a parameter is a text.
            if not isinstance(rate, int) or not isinstance(burst, int) or not 0 < rate <= burst:
                yield f"{name} does not throttle {key}"


def exports_may_be_bounded(deployed: Deployed) -> Iterator[str]:
    """Check that a parameter bounds the exports at a time, not by default, and that no other function is bounded."""
    bound = {"Fn::If": ["HasExportConcurrency", {"Ref": "ExportConcurrency"}, {"Ref": "AWS::NoValue"}]}
    for name, function in deployed.functions.items():
        expected = bound if name == "ExportFunction" else None
        if function.get("ReservedConcurrentExecutions") != expected:
            yield f"{name} has another bound of its concurrency than it is to have"
    given = {"Fn::Not": [{"Fn::Equals": [{"Ref": "ExportConcurrency"}, ""]}]}
    if mapping(deployed.document.get("Conditions", {})).get("HasExportConcurrency") != given:
        yield "HasExportConcurrency is not: ExportConcurrency is given"
    parameters = mapping(deployed.document.get("Parameters", {}))
    if mapping(parameters.get("ExportConcurrency", {})).get("Default") != "":
        yield "ExportConcurrency is not empty by default"


def prod_has_somebody_who_hears_it(deployed: Deployed) -> Iterator[str]:
    """Check that prod is refused without a topic that pages, that it is accepted with one, and all else without."""
    topic = {"AlarmTopicArn": "arn:aws:sns:xx-test-1::pages"}
    if not list(refusals(deployed, {"Stage": "prod"})):
        yield "prod is deployed without AlarmTopicArn"
    yield from (f"prod is refused: {why}" for why in refusals(deployed, {"Stage": "prod", **topic}))
    yield from (f"dev is refused: {why}" for why in refusals(deployed, {"Stage": "dev"}))


def refusals(deployed: Deployed, given: Mapping[str, str]) -> Iterator[str]:
    """Yield the descriptions of the rules that refuse these parameters; the others have their defaults."""
    declared = {name: mapping(each) for name, each in mapping(deployed.document.get("Parameters", {})).items()}
    values = {name: str(each.get("Default", "")) for name, each in declared.items()} | dict(given)
    for node in mapping(deployed.document.get("Rules", {})).values():
        rule = mapping(node)
        if "RuleCondition" in rule and not _holds(rule["RuleCondition"], values):
            continue
        for each in items(rule["Assertions"]):
            assertion = mapping(each)
            if not _holds(assertion["Assert"], values):
                yield str(assertion["AssertDescription"])


def _holds(node: Node, values: Mapping[str, str]) -> bool:
    match node:
        case {"Fn::Equals": [left, right]}:
            return _value(left, values) == _value(right, values)
        case {"Fn::Not": [inner]}:
            return not _holds(inner, values)
        case {"Fn::And": [*inner]}:
            return all(_holds(each, values) for each in inner)
        case {"Fn::Or": [*inner]}:
            return any(_holds(each, values) for each in inner)
    raise TemplateError(f"a rule says {node}")


def _value(node: Node, values: Mapping[str, str]) -> Node:
    return values[str(node["Ref"])] if isinstance(node, dict) else node


def _takes_many(schema: dict[str, object]) -> bool:
    properties = schema.get("properties", {})
    assert isinstance(properties, dict)
    return any(each.get("maxItems") == ITEMS_MAX for each in properties.values())


CHECKS: Final[tuple[Check, ...]] = (
    long_calls_have_throttles_of_their_own,
    exports_may_be_bounded,
    prod_has_somebody_who_hears_it,
)
