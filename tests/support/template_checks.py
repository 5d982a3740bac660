"""The rules for the transformed template. A check yields a sentence for each fault, and nothing if the rule holds.

The tests run all of them over template.yaml, and over copies of it that were broken on purpose.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from personas.contract.registry import ROUTES
from personas.runtime import GATEWAY_WAITS
from personas.settings import Settings
from personas.store.exports import EXPORT_LIFE
from personas.store.keys import PERSONAS
from personas.views.view_objects import SUPERSEDED
from personas_tools.template_nodes import Node
from support.deployed import ROOT, Deployed, items, mapping, references, target

type Check = Callable[[Deployed], Iterator[str]]

# ---- What is allowed ---------------------------------------------------------------------------------------------

PERSONAS_ALONE: Final = {"dynamodb": {"Keys": {"sk": {"S": [{"prefix": PERSONAS}]}}}}
"""The pattern that keeps drafts, keys and profiles from a function that is sent what is written."""

BASIC: Final = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
MANAGED: Final = {
    BASIC: "SAM attaches it to every role: to write logs, of any group, and nothing else",
    "arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda": "CodeDeploy's own, to move aliases",
}
"""The policies that are not literal, and why each is there. A function may have no other."""

OF_KINDS: Final = frozenset({"PersonasTable", "HistoryTable"})
"""The tables that hold items of several kinds, told apart by their partition keys."""
PARTITIONED: Final = ("ForAllValues:StringLike", "dynamodb:LeadingKeys")
LISTED: Final = ("StringLikeIfExists", "s3:prefix")
"""The operator and the key of the condition that holds a statement to kinds of items, and of objects in a listing."""

POWERTOOLS: Final = {"POWERTOOLS_SERVICE_NAME": {"Ref": "AWS::StackName"}, "POWERTOOLS_LOG_LEVEL": {"Ref": "LogLevel"}}

PHYSICAL_NAMES: Final = frozenset(
    {
        "AlarmName",
        "BucketName",
        "DashboardName",
        "FunctionName",
        "GroupName",
        "LayerName",
        "LogGroupName",
        "Name",
        "QueueName",
        "RoleName",
        "TableName",
        "TopicName",
    }
)
NAMES_OTHERS: Final = frozenset(
    {
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
    }
)
"""Types whose FunctionName is that of another resource, and whose own name, if they have one, is one within it."""

OWN_METRICS: Final = (
    "ClocksOff",
    "CollectionSize",
    "Conflicts",
    "RefreshAge",
    "Unauthenticated",
    "UnreadableItems",
    "ViewEvictions",
)
"""The metrics that the functions write."""

METRICS: Final[Mapping[tuple[str, str], tuple[tuple[str, ...], ...]]] = {
    # As the services' documentation lists them. An HTTP API has 4xx and 5xx, a REST API 4XXError and 5XXError.
    **dict.fromkeys(
        [("AWS/ApiGateway", name) for name in ("4xx", "5xx", "Count", "IntegrationLatency", "Latency")],
        (("ApiId",), ("ApiId", "Stage")),
    ),
    **dict.fromkeys(
        [("AWS/Lambda", name) for name in ("ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles")],
        ((), ("FunctionName",)),
    ),
    ("AWS/Lambda", "ClaimedAccountConcurrency"): ((),),
    ("AWS/Lambda", "IteratorAge"): (("FunctionName",),),
    # Those of a mapping, if it is told to count events.
    **dict.fromkeys(
        [("AWS/Lambda", name) for name in ("DroppedEventCount", "OnFailureDestinationDeliveredEventCount")],
        (("EventSourceMappingUUID",),),
    ),
    **dict.fromkeys(
        [("AWS/DynamoDB", name) for name in ("ReadThrottleEvents", "WriteThrottleEvents")],
        (("TableName",), ("GlobalSecondaryIndexName", "TableName")),
    ),
    **dict.fromkeys(
        [("AWS/SQS", name) for name in ("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible")],
        (("QueueName",),),
    ),
    # The metrics that personas.observability writes; tests/integration/test_metrics.py checks the lines.
    **dict.fromkeys([("Personas", name) for name in OWN_METRICS], (("service",),)),
}
"""The metrics that exist, and the sets of dimensions that each is kept by."""

DIMENSIONS: Final[Mapping[str, tuple[str, Node]]] = {
    "ApiId": ("AWS::ApiGatewayV2::Api", "Ref"),
    "EventSourceMappingUUID": ("AWS::Lambda::EventSourceMapping", "Ref"),
    "FunctionName": ("AWS::Lambda::Function", "Ref"),
    "QueueName": ("AWS::SQS::Queue", "QueueName"),
    "TableName": ("AWS::DynamoDB::Table", "Ref"),
}
"""The source of a dimension's value: the type of the resource, and Ref or the attribute."""

PAGING: Final = frozenset({"LatencyAlarm", "ServerErrorsAlarm", "ThrottlesAlarm"})
"""The alarms that wake somebody: callers are not served, or not in time."""

UNSAFE: Final = frozenset({"AVG", "DATAPOINT_COUNT", "FILL", "MAX", "METRICS", "MIN", "REMOVE_EMPTY", "RUNNING_SUM"})
"""Functions of metric math that CloudWatch's documentation advises against in alarms, and one that hides the others.

FILL puts its value in the place of one that is late, so that an alarm that asks for one period never sees the true one.
"""
SERIES_MAX: Final = 10
"""So many series may an alarm compute with."""


# ---- Functions ---------------------------------------------------------------------------------------------------


def functions_and_folders(deployed: Deployed) -> Iterator[str]:
    """Check that there is one function a folder, named after it."""
    folders = {f"functions/{path.parent.name}/" for path in (ROOT / "functions").glob("*/handler.py")}
    taken = set()
    for name, function in deployed.functions.items():
        folder = str(mapping(function["Code"]).get("S3Key"))
        taken.add(folder)
        if name != f"{folder.strip('/').rpartition('/')[2].title().replace('_', '')}Function":
            yield f"{name} is not named after its folder {folder}"
        if function.get("Handler") != "handler.lambda_handler":
            yield f"{name} is not entered at handler.lambda_handler"
    yield from (f"{folder} has no function" for folder in sorted(folders - taken))
    yield from (f"{folder} of a function does not exist" for folder in sorted(taken - folders))


def functions_run_alike(deployed: Deployed) -> Iterator[str]:
    """Check that all functions have one runtime, which waits for deployments, and one layer."""
    for name, function in deployed.functions.items():
        if function.get("Runtime") != "python3.13":
            yield f"{name} does not run on python3.13"
        if function.get("RuntimeManagementConfig") != {"UpdateRuntimeOn": "FunctionUpdate"}:
            yield f"{name} gets another SDK whenever AWS has one"
        if function.get("Architectures") != [{"Ref": "Architecture"}]:
            yield f"{name} does not run on the stack's processor"
        if [str(target(layer))[: len("SharedLayer")] for layer in items(function.get("Layers"))] != ["SharedLayer"]:
            yield f"{name} does not have the shared layer alone"


def environment_is_what_the_settings_read(deployed: Deployed) -> Iterator[str]:
    """Check that every function has the variables that ``Settings`` and Powertools read, and no others."""
    # Lambda itself sets the variables that begin with AWS_.
    aliases = {str(field.alias) for field in Settings.model_fields.values() if not str(field.alias).startswith("AWS_")}
    for name, function in deployed.functions.items():
        variables = mapping(mapping(function.get("Environment", {})).get("Variables", {}))
        expected = aliases | set(POWERTOOLS)
        yield from (f"{name} lacks the variable {each}" for each in sorted(expected - set(variables)))
        yield from (f"{name} has a variable {each} that nobody reads" for each in sorted(set(variables) - expected))
        for each, value in POWERTOOLS.items():
            if variables.get(each, value) != value:
                yield f"{name} has another {each}"


def every_function_has_a_log_group(deployed: Deployed) -> Iterator[str]:
    """Check that each function has its own log group, in JSON, whose records expire after the days of the parameter.

    Lambda's lines about each run are open where nobody else tells of it, and nowhere else.
    """
    groups = deployed.of_type("AWS::Logs::LogGroup")
    beside = set(_beside_the_api(deployed))
    taken: dict[str, str] = {}
    for name, function in deployed.functions.items():
        logging = mapping(function.get("LoggingConfig", {}))
        group = target(logging.get("LogGroup"))
        if group not in groups:
            yield f"{name} has no log group"
            continue
        if group in taken:
            yield f"{name} logs to the group of {taken[group]}"
        taken[group] = name
        if logging.get("LogFormat") != "JSON":
            yield f"{name} does not log JSON"
        level = "INFO" if name in beside else "WARN"
        if logging.get("SystemLogLevel") != level:
            yield f"{name} has another SystemLogLevel than {level}"
    for group, properties in groups.items():
        if properties.get("RetentionInDays") != {"Ref": "LogRetentionDays"}:
            yield f"{group} keeps its records for another time than LogRetentionDays"


# ---- Policies ----------------------------------------------------------------------------------------------------


def roles_are_their_functions_own(deployed: Deployed) -> Iterator[str]:
    """Check that each function acts under a role of its own, with no policy that is written elsewhere but those."""
    for role, properties in deployed.of_type("AWS::IAM::Role").items():
        for policy in items(properties.get("ManagedPolicyArns")):
            if policy not in MANAGED:
                yield f"{role} has the policy {policy}"
    for name, function in deployed.functions.items():
        if function.get("Role") != {"Fn::GetAtt": [f"{name}Role", "Arn"]}:
            yield f"{name} acts under another role than its own"


def no_statement_is_a_wildcard(deployed: Deployed) -> Iterator[str]:
    """Check that no action and no resource stands for all of them, and no pattern for items of every kind.

    tests/integration/test_least_privilege.py uses all that is allowed.
    """
    for role, properties in deployed.of_type("AWS::IAM::Role").items():
        for sid, statement in _statements(properties):
            place = f"{role}.{sid}"
            actions = [str(action) for action in items(statement.get("Action"))]
            yield from (f"{place} allows the action {action}" for action in actions if "*" in action)
            for resource in items(statement.get("Resource")):
                if not list(references(resource)):
                    yield f"{place} names the resource {resource}, which is none of this stack"
            of_kinds = OF_KINDS & set(references(statement.get("Resource"))) and not _of_stream(statement)
            if of_kinds or "s3:ListBucket" in actions:
                operator, key = LISTED if "s3:ListBucket" in actions else PARTITIONED
                patterns = items(mapping(mapping(statement.get("Condition", {})).get(operator, {})).get(key))
                if not patterns or any(str(each).startswith("*") for each in patterns):
                    yield f"{place} is about items of every kind"


def _of_stream(statement: Mapping[str, Node]) -> bool:
    return "/stream/" in json.dumps(statement.get("Resource"))


def _statements(role: Mapping[str, Node]) -> Iterator[tuple[str, dict[str, Node]]]:
    for policy in items(role.get("Policies")):
        for node in items(mapping(mapping(policy)["PolicyDocument"])["Statement"]):
            statement = mapping(node)
            yield str(statement.get("Sid", mapping(policy)["PolicyName"])), statement


# ---- Sources of events -------------------------------------------------------------------------------------------


def what_fails_unseen_is_kept(deployed: Deployed) -> Iterator[str]:
    """Check that every asynchronous source sends failures to a queue: schedules, asynchronous invocations, queues."""
    queues = deployed.of_type("AWS::SQS::Queue")
    invoked = set()
    for name, schedule in deployed.of_type("AWS::Scheduler::Schedule").items():
        aim = mapping(schedule["Target"])
        invoked.add(deployed.behind(target(aim.get("Arn"))))
        if target(mapping(aim.get("DeadLetterConfig", {})).get("Arn")) not in queues:
            yield f"{name} has no dead-letter queue"
        if not mapping(aim.get("RetryPolicy", {})).get("MaximumRetryAttempts"):
            yield f"{name} is not tried again"
    for rule in deployed.of_type("AWS::Events::Rule").values():
        invoked |= {deployed.behind(target(mapping(aim).get("Arn"))) for aim in items(rule.get("Targets"))}
    for permission in deployed.of_type("AWS::Lambda::Permission").values():
        if permission.get("Principal") != "apigateway.amazonaws.com":
            invoked.add(deployed.behind(target(permission.get("FunctionName"))))
    kept = {
        target(config["FunctionName"]): target(
            mapping(mapping(config.get("DestinationConfig", {})).get("OnFailure", {})).get("Destination")
        )
        for config in deployed.of_type("AWS::Lambda::EventInvokeConfig").values()
    }
    for function in sorted(map(str, invoked)):
        if kept.get(function) not in queues:
            yield f"{function} is invoked asynchronously and has no on-failure destination"
    for name, source in deployed.of_type("AWS::Lambda::EventSourceMapping").items():
        if source.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} gives up a whole batch for one message"
        if _is_stream(source):
            yield from _faults_of_stream(deployed, name, source)
            continue
        queue = queues.get(str(target(source.get("EventSourceArn"))), {})
        if target(mapping(queue.get("RedrivePolicy", {})).get("deadLetterTargetArn")) not in queues:
            yield f"{name} reads a queue without a dead-letter queue"


def _is_stream(source: Mapping[str, Node]) -> bool:
    match source.get("EventSourceArn"):
        case {"Fn::GetAtt": [_, "StreamArn"]}:
            return True
    return False


def _faults_of_stream(deployed: Deployed, name: str, source: Mapping[str, Node]) -> Iterator[str]:
    """Check that a stream's records are tried again for a time, one alone in the end, and then kept whole: in S3."""
    failure = mapping(mapping(source.get("DestinationConfig", {})).get("OnFailure", {}))
    if deployed.type_of(str(target(failure.get("Destination")))) != "AWS::S3::Bucket":
        yield f"{name} does not leave what fails in a bucket: a queue would be sent no records"
    if source.get("BisectBatchOnFunctionError") is not True:
        yield f"{name} gives up a whole batch where the function fails"
    for bound in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds"):
        value = source.get(bound)
        if not isinstance(value, int) or value <= 0:
            yield f"{name} has no {bound}: one record may hold up all that come after it"
    if source.get("StartingPosition") != "TRIM_HORIZON":
        yield f"{name} does not begin at the beginning"
    if source.get("MetricsConfig") != {"Metrics": ["EventCount"]}:
        yield f"{name} does not count what it gives up"
    match source.get("FilterCriteria"):
        case {"Filters": [{"Pattern": str(pattern)}]} if json.loads(pattern) == PERSONAS_ALONE:
            pass
        case _:
            yield f"{name} hands over more than what is written of personas"


def _dead_letter_queues(deployed: Deployed) -> set[str]:
    """Return the queues to which something else sends its failures."""
    found = set()
    for queue in deployed.of_type("AWS::SQS::Queue").values():
        found.add(target(mapping(queue.get("RedrivePolicy", {})).get("deadLetterTargetArn")))
    for schedule in deployed.of_type("AWS::Scheduler::Schedule").values():
        found.add(target(mapping(mapping(schedule["Target"]).get("DeadLetterConfig", {})).get("Arn")))
    for config in deployed.of_type("AWS::Lambda::EventInvokeConfig").values():
        failure = mapping(mapping(config.get("DestinationConfig", {})).get("OnFailure", {}))
        found.add(target(failure.get("Destination")))
    return {name for name in found if name}


# ---- Alarms and dashboard ----------------------------------------------------------------------------------------


def alarms_look_at_what_exists(deployed: Deployed) -> Iterator[str]:
    """Check that every alarm's metric exists with these dimensions, and that each value leads to such a resource."""
    for name, alarm in deployed.of_type("AWS::CloudWatch::Alarm").items():
        for metric in _metrics(alarm):
            series = (str(metric.get("Namespace")), str(metric.get("MetricName")))
            dimensions = {
                str(mapping(each)["Name"]): mapping(each)["Value"] for each in items(metric.get("Dimensions"))
            }
            if series not in METRICS:
                yield f"{name} looks at {' '.join(series)}, which nobody writes"
            elif tuple(sorted(dimensions)) not in METRICS[series]:
                yield f"{name}: {' '.join(series)} is not kept by {', '.join(dimensions) or 'no dimension'}"
            for dimension, value in dimensions.items():
                if not _leads(deployed, dimension, value):
                    yield f"{name}: {value} is no {dimension}"


def alarms_can_go_on(deployed: Deployed) -> Iterator[str]:
    """Check that an alarm notifies the topic if there is one, and needs no more periods than it evaluates."""
    declared = mapping(deployed.document.get("Parameters", {}))
    numbers = {name for name, each in declared.items() if mapping(each)["Type"] == "Number"}
    for name, alarm in deployed.of_type("AWS::CloudWatch::Alarm").items():
        topic = "Alarm" if name in PAGING else "Notice"
        told = {"Fn::If": [f"Has{topic}Topic", [{"Ref": f"{topic}TopicArn"}], {"Ref": "AWS::NoValue"}]}
        if alarm.get("AlarmActions") != told:
            yield f"{name} does not tell the topic {topic}TopicArn"
        if alarm.get("OKActions") != (told if name in PAGING else None):
            yield f"{name} {'does not tell' if name in PAGING else 'tells'} that it is over"
        if alarm.get("ActionsEnabled", True) is not True:
            yield f"{name} tells nobody"
        needed, looked_at = alarm.get("DatapointsToAlarm"), alarm.get("EvaluationPeriods")
        if not isinstance(needed, int) or not isinstance(looked_at, int) or not 1 <= needed <= looked_at:
            yield f"{name} asks for {needed} of {looked_at} periods"
        if not isinstance(alarm.get("Threshold"), int | float) and target(alarm.get("Threshold")) not in numbers:
            yield f"{name} has no threshold"
        yield from (f"{name} {fault}" for fault in _faults_of_expressions(alarm))


def _faults_of_expressions(alarm: Mapping[str, Node]) -> Iterator[str]:
    """Yield what keeps the expressions of an alarm from a value, or from the true one."""
    queries = [mapping(each) for each in items(alarm.get("Metrics"))]
    ids = {str(each["Id"]) for each in queries if "MetricStat" in each}
    if len(ids) > SERIES_MAX:
        yield f"computes with more than {SERIES_MAX} series"
    for each in queries:
        if "Expression" in each:
            words = set(re.findall(r"[A-Za-z_]\w*", str(each["Expression"])))
            yield from (f"computes with {word}" for word in sorted(words & UNSAFE))
            if words - UNSAFE - {"IF"} != ids:
                yield "does not compute with exactly the series that it names"


def dashboards_show_what_alarms_look_at(deployed: Deployed) -> Iterator[str]:
    """Check that whoever an alarm wakes finds its series on a dashboard."""
    shown = _shown(deployed)
    for name, alarm in deployed.of_type("AWS::CloudWatch::Alarm").items():
        if "Condition" in deployed.resources[name]:
            continue  # a dashboard cannot name what may not be there
        for metric in _metrics(alarm):
            values = "".join(sorted(references(metric.get("Dimensions"))))
            if (str(metric["Namespace"]), str(metric["MetricName"]), values) not in shown:
                yield f"no dashboard shows what {name} looks at"


def each_part_is_watched(deployed: Deployed) -> Iterator[str]:
    """Check that there is an alarm on each function, queue, table and global index, for those to come as well."""
    watched: set[tuple[str, str]] = set()
    for alarm in deployed.of_type("AWS::CloudWatch::Alarm").values():
        for metric in _metrics(alarm):
            dimensions = [mapping(each) for each in items(metric.get("Dimensions"))]
            named = {str(each["Value"]) for each in dimensions if each["Name"] == "GlobalSecondaryIndexName"}
            watched |= {(str(metric["MetricName"]), name) for name in named or references(metric.get("Dimensions"))}
    expected = {("Errors", function) for function in deployed.functions}
    expected |= {("Duration", function) for function in _beside_the_api(deployed)}
    expected |= {("ApproximateNumberOfMessagesVisible", queue) for queue in _dead_letter_queues(deployed)}
    for source in deployed.of_type("AWS::Lambda::EventSourceMapping").values():
        fed = str(target(source.get("EventSourceArn")))
        if deployed.type_of(fed) == "AWS::SQS::Queue":
            expected.add(("ApproximateAgeOfOldestMessage", fed))
    for name, table in deployed.of_type("AWS::DynamoDB::Table").items():
        for place in (name, *_global_indexes(table)):
            expected |= {("ReadThrottleEvents", place), ("WriteThrottleEvents", place)}
    yield from (f"no alarm looks at {metric} of {place}" for metric, place in sorted(expected - watched))


def _global_indexes(table: Mapping[str, Node]) -> list[str]:
    return [str(mapping(each)["IndexName"]) for each in items(table.get("GlobalSecondaryIndexes"))]


def _beside_the_api(deployed: Deployed) -> Iterator[str]:
    """Yield the functions that API Gateway does not wait for, or not alone: they may take longer than it does."""
    routed = set()
    for permission in deployed.of_type("AWS::Lambda::Permission").values():
        if permission.get("Principal") == "apigateway.amazonaws.com":
            routed.add(deployed.behind(target(permission.get("FunctionName"))))
    for name, function in deployed.functions.items():
        timeout = function.get("Timeout")
        if name not in routed or (isinstance(timeout, int) and timeout > GATEWAY_WAITS.seconds):
            yield name


def _shown(deployed: Deployed) -> set[tuple[str, str, str]]:
    """Return the series on the dashboards: namespace, name, the resources of the dimensions."""
    shown = set()
    for dashboard in deployed.of_type("AWS::CloudWatch::Dashboard").values():
        body: dict[str, Node] = json.loads(str(mapping(dashboard["DashboardBody"])["Fn::Sub"]))
        for widget in items(body["widgets"]):
            for line in items(mapping(mapping(widget)["properties"])["metrics"]):
                texts = [each for each in items(line) if isinstance(each, str)]
                if texts:
                    values = references([{"Fn::Sub": value} for value in texts[3::2]])
                    shown.add((texts[0], texts[1], "".join(sorted(values))))
    return shown


def _metrics(alarm: Mapping[str, Node]) -> Iterable[dict[str, Node]]:
    if "Metrics" not in alarm:
        return [dict(alarm)]
    queries = [mapping(query) for query in items(alarm["Metrics"])]
    return [mapping(mapping(query["MetricStat"])["Metric"]) for query in queries if "MetricStat" in query]


def _leads(deployed: Deployed, dimension: str, value: Node) -> bool:
    if dimension == "service":
        return value == POWERTOOLS["POWERTOOLS_SERVICE_NAME"]
    if dimension == "GlobalSecondaryIndexName":
        return any(value in _global_indexes(table) for table in deployed.of_type("AWS::DynamoDB::Table").values())
    if dimension not in DIMENSIONS:
        return False
    kind, attribute = DIMENSIONS[dimension]
    match value:
        case {"Ref": str(name)}:
            return attribute == "Ref" and deployed.type_of(name) == kind
        case {"Fn::GetAtt": [str(name), str(got)]}:
            return attribute == got and deployed.type_of(name) == kind
    return False


# ---- The API -----------------------------------------------------------------------------------------------------


def routes_are_those_of_the_registry(deployed: Deployed) -> Iterator[str]:
    """Check that the API has the registry's routes, and that each leads to its function."""
    expected = {route: name for name, operation in ROUTES.items() for route in operation.routes}
    found: dict[tuple[str, str], str] = {}
    for api in deployed.of_type("AWS::ApiGatewayV2::Api").values():
        for path, methods in mapping(mapping(api["Body"])["paths"]).items():
            for method, route in mapping(methods).items():
                if method == "options":
                    continue
                integration = mapping(mapping(route)["x-amazon-apigateway-integration"])
                (function,) = (name for name in references(integration["uri"]) if not name.startswith("AWS::"))
                verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                found[verb, path] = str(deployed.behind(function))
                if integration.get("payloadFormatVersion") != "2.0":
                    yield f"{method} {path} is sent in another format than 2.0"
    for (method, path), function in found.items():
        name = expected.get((method, path))
        if name is None:
            yield f"{method} {path} is in no registry"
        elif function != f"{name.capitalize()}Function":
            yield f"{method} {path} leads to {function}"
    yield from (f"{method} {path} has no route" for method, path in sorted(expected.keys() - found.keys()))


def the_api_is_bounded_and_logged(deployed: Deployed) -> Iterator[str]:
    """Check that the API is throttled by parameters, logs in JSON, and is open to the pages of the parameter alone."""
    stages = deployed.of_type("AWS::ApiGatewayV2::Stage")
    if not stages:
        yield "there is no stage"
    for name, stage in stages.items():
        settings = mapping(stage.get("DefaultRouteSettings", {}))
        for setting, parameter in {
            "ThrottlingRateLimit": "RequestsPerSecond",
            "ThrottlingBurstLimit": "RequestBurst",
            "DetailedMetricsEnabled": "DetailedMetrics",
        }.items():
            if settings.get(setting) != {"Ref": parameter}:
                yield f"{name}: {setting} is not the parameter {parameter}"
        access = mapping(stage.get("AccessLogSettings", {}))
        if deployed.type_of(str(target(access.get("DestinationArn")))) != "AWS::Logs::LogGroup":
            yield f"{name} logs no access"
            continue
        try:
            fields = json.loads(str(access.get("Format")))
        except json.JSONDecodeError:
            yield f"{name} does not log its access in JSON"
        else:
            for field in ("$context.requestId", "$context.routeKey", "$context.status", "$context.responseLatency"):
                if field not in fields.values():
                    yield f"{name} does not log {field}"
    for name, api in deployed.of_type("AWS::ApiGatewayV2::Api").items():
        cors = mapping(mapping(api["Body"]).get("x-amazon-apigateway-cors", {}))
        if cors.get("allowOrigins") != ["of CorsOrigins"]:
            yield f"{name} answers pages of other origins than CorsOrigins"


# ---- Storage -----------------------------------------------------------------------------------------------------


def the_bucket_speaks_tls_and_keeps_what_is_needed(deployed: Deployed) -> Iterator[str]:
    """Check that a bucket speaks TLS only, and that only exports, superseded views and failures expire."""
    policies = {str(target(each.get("Bucket"))): each for each in deployed.of_type("AWS::S3::BucketPolicy").values()}
    for name, bucket in deployed.of_type("AWS::S3::Bucket").items():
        statements = items(mapping(policies.get(name, {}).get("PolicyDocument", {})).get("Statement"))
        if _tls_only(name) not in statements or len(statements) != 1:
            yield f"{name} may be spoken to without TLS, or its policy allows something"
        rules = [mapping(rule) for rule in items(mapping(bucket.get("LifecycleConfiguration", {})).get("Rules"))]
        expires = {str(rule.get("Prefix")): rule for rule in rules if "ExpirationInDays" in rule}
        if expires.keys() != {"aws/lambda/", "exports/", "views/"}:
            yield f"{name}: other things expire than exports, superseded views and failures: {sorted(expires)}"
            continue
        if expires["exports/"]["ExpirationInDays"] != EXPORT_LIFE.days:
            yield f"{name}: exports do not expire with their records"
        if expires["views/"]["ExpirationInDays"] != 1:
            yield f"{name}: superseded views do not expire after a day"
        if expires["views/"].get("TagFilters") != [SUPERSEDED["TagSet"][0]]:
            yield f"{name}: views expire that nothing has superseded"


def _tls_only(bucket: str) -> dict[str, Node]:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [{"Fn::GetAtt": [bucket, "Arn"]}, {"Fn::Sub": f"${{{bucket}.Arn}}/*"}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def what_people_made_outlives_the_stack(deployed: Deployed) -> Iterator[str]:
    """Check that tables and bucket outlive the stack; the tables have recovery and deletion protection."""
    kept = ("PersonasTable", "HistoryTable")
    for name in (*kept, "Bucket"):
        resource = deployed.resources.get(name, {})
        if (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) != ("Retain", "Retain"):
            yield f"{name} goes with the stack"
    for name in kept:
        table = deployed.of_type("AWS::DynamoDB::Table").get(name, {})
        recovery = mapping(table.get("PointInTimeRecoverySpecification", {}))
        if recovery.get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name} cannot be restored"
        if table.get("DeletionProtectionEnabled") is not True:
            yield f"{name} can be deleted by mistake"


def everything_at_rest_is_encrypted(deployed: Deployed) -> Iterator[str]:
    """Check that tables, queues and the bucket are encrypted."""
    for name, bucket in deployed.of_type("AWS::S3::Bucket").items():
        if "BucketEncryption" not in bucket:
            yield f"{name} is not encrypted"
    for name, table in deployed.of_type("AWS::DynamoDB::Table").items():
        if table.get("SSESpecification") != {"SSEEnabled": True}:
            yield f"{name} is not encrypted"
    for name, queue in deployed.of_type("AWS::SQS::Queue").items():
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name} is not encrypted"


# ---- The stack ---------------------------------------------------------------------------------------------------


def two_stacks_cannot_collide(deployed: Deployed) -> Iterator[str]:
    """Check that every physical name contains the name of the stack, and that nothing is exported from it."""
    for name, resource in deployed.resources.items():
        for key, value in mapping(resource.get("Properties", {})).items():
            if key not in PHYSICAL_NAMES or (key in {"FunctionName", "Name"} and resource["Type"] in NAMES_OTHERS):
                continue
            if "AWS::StackName" not in references(value):
                yield f"{name}.{key} is the same in every stack"
        if resource["Type"] == "AWS::Scheduler::Schedule" and "Name" not in mapping(resource["Properties"]):
            yield f"{name} is named by SAM, the same in every stack"
    for name, output in mapping(deployed.document.get("Outputs", {})).items():
        if "Export" in mapping(output):
            yield f"{name} is exported under a name of the region"


CHECKS: Final[tuple[Check, ...]] = (
    functions_and_folders,
    functions_run_alike,
    environment_is_what_the_settings_read,
    every_function_has_a_log_group,
    roles_are_their_functions_own,
    no_statement_is_a_wildcard,
    what_fails_unseen_is_kept,
    alarms_look_at_what_exists,
    alarms_can_go_on,
    dashboards_show_what_alarms_look_at,
    each_part_is_watched,
    routes_are_those_of_the_registry,
    the_api_is_bounded_and_logged,
    the_bucket_speaks_tls_and_keeps_what_is_needed,
    what_people_made_outlives_the_stack,
    everything_at_rest_is_encrypted,
    two_stacks_cannot_collide,
)
