"""The rules for how the stack is deployed and held: throttles of routes, bounds, aliases and their guards.

As in ``template_checks``, a check yields a sentence for each fault, and nothing if the rule holds.
"""

import json
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from personas.contract.base import ITEMS_MAX
from personas.contract.registry import ROUTES
from personas_tools.template_nodes import Node, TemplateError
from support.deployed import Deployed, items, mapping, references, target
from support.template_checks import Check

LONG: Final = frozenset({"export", "refresh"})
"""Operations that hold a function for seconds, whatever they are sent."""

GUARDS_MAX: Final = 10
"""So many alarms may a deployment group of CodeDeploy look at."""


def long_calls_have_throttles_of_their_own(deployed: Deployed) -> Iterator[str]:
    """Check that routes of long calls are throttled by numbers of their own, and that each setting names a route."""
    known = {" ".join(route) for operation in ROUTES.values() for route in operation.routes}
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
    parameters = mapping(deployed.document.get("Parameters", {}))
    if mapping(parameters.get("ExportConcurrency", {})).get("Default") != "":
        yield "ExportConcurrency is not empty by default"


def conditions_tell_whether_something_is_given(deployed: Deployed) -> Iterator[str]:
    """Check that a condition on one parameter holds unless that is empty, or 0."""
    for name, node in mapping(deployed.document.get("Conditions", {})).items():
        match list(references(node)):
            case [parameter]:
                held = {value for value in ("", "0", "given") if _holds(node, {parameter: value})}
                if held not in ({"", "given"}, {"0", "given"}):
                    yield f"{name} is not: {parameter} is given"


def everything_invokes_the_alias(deployed: Deployed) -> Iterator[str]:
    """Check that every function has the alias, and that whatever may invoke a function may invoke the alias alone."""
    aliases = deployed.of_type("AWS::Lambda::Alias")
    published = {target(alias["FunctionName"]) for alias in aliases.values() if alias["Name"] == "live"}
    yield from (f"{name} has no alias live" for name in sorted(deployed.functions.keys() - published))
    invoked: dict[str, Node] = {}
    for kind in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"):
        invoked |= {name: each.get("FunctionName") for name, each in deployed.of_type(kind).items()}
    for name, schedule in deployed.of_type("AWS::Scheduler::Schedule").items():
        invoked[name] = mapping(schedule["Target"]).get("Arn")
    for api in deployed.of_type("AWS::ApiGatewayV2::Api").values():
        for path, methods in mapping(mapping(api["Body"])["paths"]).items():
            for method, route in mapping(methods).items():
                if "x-amazon-apigateway-integration" in mapping(route):
                    uri = mapping(mapping(route)["x-amazon-apigateway-integration"])["uri"]
                    (called,) = (each for each in references(uri) if not each.startswith("AWS::"))
                    invoked[f"{method} {path}"] = {"Ref": called}
    for name, aim in invoked.items():
        if target(aim) not in aliases:
            yield f"{name} invokes {target(aim)}, which is no alias"
    for name, config in deployed.of_type("AWS::Lambda::EventInvokeConfig").items():
        if config.get("Qualifier") != "live":
            yield f"{name} is for another qualifier than the alias"


def new_versions_are_guarded(deployed: Deployed) -> Iterator[str]:
    """Check that CodeDeploy, where it moves callers, moves all of them, and back when one of the alarms goes on."""
    groups = deployed.of_type("AWS::CodeDeploy::DeploymentGroup")
    if not groups:
        return
    names = {
        json.dumps(alarm.get("AlarmName", {"Ref": name}))
        for name, alarm in deployed.of_type("AWS::CloudWatch::Alarm").items()
    }
    for name, resource in deployed.resources.items():
        if resource["Type"] == "AWS::Lambda::Alias" and "CodeDeployLambdaAliasUpdate" not in mapping(
            resource.get("UpdatePolicy", {})
        ):
            yield f"{name} is moved at once"
    for name, group in groups.items():
        watched = [mapping(each)["Name"] for each in items(mapping(group.get("AlarmConfiguration", {})).get("Alarms"))]
        known = {json.dumps(each) for each in watched} & names
        if len(known) != len(watched) or not 1 <= len(watched) <= GUARDS_MAX:
            yield f"{name} looks at other alarms than the stack's"
        for each in ("ServerErrorsAlarm", "LatencyAlarm"):
            if {"Fn::Sub": f"${{AWS::StackName}}-{each}"} not in watched:
                yield f"{name} does not look at {each}"


def nothing_depends_on_itself(deployed: Deployed) -> Iterator[str]:
    """Check that there is an order in which the resources can be made."""
    resources = deployed.resources
    waits = {
        name: {each for each in references(resource) if each in resources}
        | {str(each) for each in items(resource.get("DependsOn"))}
        for name, resource in resources.items()
    }
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        yield f"in a circle: {' > '.join(error.args[1])}"


def prod_has_somebody_who_hears_it(deployed: Deployed) -> Iterator[str]:
    """Check that prod is refused without a topic that pages, that it is accepted with one, and all else without."""
    topic = {"AlarmTopicArn": "arn:aws:sns:xx-test-1::pages"}
    if not list(refusals(deployed, {"Stage": "prod"})):
        yield "prod is deployed without AlarmTopicArn"
    yield from (f"prod is refused: {why}" for why in refusals(deployed, {"Stage": "prod", **topic}))
    yield from (f"dev is refused: {why}" for why in refusals(deployed, {"Stage": "dev"}))


def the_bill_is_told(deployed: Deployed) -> Iterator[str]:
    """Check that a budget exists if it is given, and that somebody is told before and after it is used up."""
    if not list(refusals(deployed, {"MonthlyBudget": "50"})):
        yield "a budget that nobody is told of is accepted"
    for name, resource in deployed.resources.items():
        if resource["Type"] != "AWS::Budgets::Budget":
            continue
        if resource.get("Condition") != "HasBudget":
            yield f"{name} is there without a budget"
        properties = mapping(resource["Properties"])
        if mapping(mapping(properties["Budget"])["BudgetLimit"])["Amount"] != {"Ref": "MonthlyBudget"}:
            yield f"{name} is of another amount"
        told = set()
        for node in items(properties.get("NotificationsWithSubscribers")):
            subscribers = [mapping(each)["Address"] for each in items(mapping(node)["Subscribers"])]
            if subscribers == [{"Ref": "NoticeTopicArn"}]:
                told.add(mapping(mapping(node)["Notification"])["NotificationType"])
        if told != {"ACTUAL", "FORECASTED"}:
            yield f"{name} is not told before and after it is used up"
    if not deployed.of_type("AWS::Budgets::Budget"):
        yield "there is no budget"


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


def _value(node: Node, values: Mapping[str, str]) -> str:
    return values[str(node["Ref"])] if isinstance(node, dict) else str(node)


def _takes_many(schema: dict[str, object]) -> bool:
    properties = schema.get("properties", {})
    assert isinstance(properties, dict)
    return any(each.get("maxItems") == ITEMS_MAX for each in properties.values())


CHECKS: Final[tuple[Check, ...]] = (
    long_calls_have_throttles_of_their_own,
    exports_may_be_bounded,
    conditions_tell_whether_something_is_given,
    everything_invokes_the_alias,
    new_versions_are_guarded,
    nothing_depends_on_itself,
    prod_has_somebody_who_hears_it,
    the_bill_is_told,
)
