"""What follows in template.yaml from its list of functions: a log group each, the alarms, the dashboard.

All of it comes from one list, ``watches``. ``make monitoring`` writes it between the two markers of the template, and
``make check`` compares it. Prices of alarms go by the metric, so none watches what another one shows as well; which
these are, docs/adr/0025 says.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import yaml

from personas.observability import CLOCKS_OFF, CONFLICTS, NAMESPACE, REFRESH_AGE, UNREADABLE_ITEMS, VIEW_EVICTIONS
from personas_tools import template
from personas_tools.template import Node, TemplateError

BEGIN: Final = "  # ---- Written by `make monitoring` from tools/personas_tools/monitoring.py: change that, not this "
END: Final = "  # ---- End of what `make monitoring` writes "
_QUOTED: Final = re.compile(r"(!(?:Ref|GetAtt)) '([\w:.]+)'")
"""A name in quotes that it does not need; YAML's writer sets them at every tag."""
_SHORT: Final = {"Ref": "!Ref", "Fn::GetAtt": "!GetAtt", "Fn::If": "!If", "Fn::Sub": "!Sub"}

_GRID: Final = 24
"""A dashboard is so many columns wide."""
_WIDGET: Final = (8, 6)
"""Columns and rows of a widget."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A series of CloudWatch. Values of ``dimensions`` are logical ids, or attributes such as ``Queue.QueueName``."""

    namespace: str
    name: str
    statistic: str
    dimensions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Goes on where the metric, or the ``expression`` of several, lies above ``threshold``.

    ``period`` is in seconds; of the last ``of`` periods so many as ``breaches`` says must lie above it.
    """

    logical_id: str
    says: str
    metrics: Mapping[str, Metric]
    threshold: float
    period: int = 300
    breaches: int = 1
    of: int = 1
    expression: str | None = None
    missing: Literal["notBreaching", "breaching"] = "notBreaching"


@dataclass(frozen=True, slots=True)
class Watch:
    """A widget of the dashboard, and the alarms on what it shows."""

    title: str
    alarms: Sequence[Alarm] = field(default_factory=tuple)


def watches(functions: Iterable[str]) -> tuple[Watch, ...]:
    """All that is watched in a stack with these functions, given by logical id."""
    names = sorted(functions)
    api, table, stack = {"ApiId": "Api"}, {"TableName": "PersonasTable"}, {"service": "AWS::StackName"}

    def of_api(name: str, statistic: str) -> Metric:
        return Metric("AWS/ApiGateway", name, statistic, api)

    def own(name: str, statistic: str) -> Metric:
        return Metric(NAMESPACE, name, statistic, stack)

    def dead_letters(queue: str, says: str) -> Alarm:
        visible = Metric(
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", {"QueueName": f"{queue}.QueueName"}
        )
        return Alarm(f"{queue}Alarm", says, {"letters": visible}, threshold=0)

    return (
        Watch(
            "Server errors (5xx in 5 minutes)",
            [
                Alarm(
                    "ServerErrorsAlarm",
                    "Callers get 500 or 503: more than four in five minutes",
                    {"errors": of_api("5xx", "Sum")},
                    threshold=4,
                )
            ],
        ),
        Watch(
            "Latency (p99, ms)",
            [
                Alarm(
                    # A cold start takes one to two seconds and is, with little traffic, the p99.
                    "LatencyAlarm",
                    "One call in a hundred takes more than three seconds, for a quarter of an hour",
                    {"latency": of_api("Latency", "p99")},
                    threshold=3000,
                    breaches=3,
                    of=3,
                )
            ],
        ),
        Watch(
            "Function errors (in 5 minutes)",
            [
                Alarm(
                    f"{name}ErrorsAlarm",
                    f"{name} crashed, ran out of memory or out of time",
                    {"errors": Metric("AWS/Lambda", "Errors", "Sum", {"FunctionName": name})},
                    threshold=0,
                )
                for name in names
            ],
        ),
        Watch(
            "Function throttles (in 5 minutes, the whole account)",
            [
                Alarm(
                    # Without a dimension: the functions of an account share one concurrency limit, and whoever uses it
                    # up, the next to be turned away are this stack's callers.
                    "ThrottlesAlarm",
                    "Lambda turns calls away: the concurrency of the account is used up",
                    {"throttles": Metric("AWS/Lambda", "Throttles", "Sum", {})},
                    threshold=0,
                    breaches=2,
                    of=3,
                )
            ],
        ),
        Watch(
            "Table throttles (in 5 minutes)",
            [
                Alarm(
                    "TableThrottlesAlarm",
                    "DynamoDB throttles: a group is at the limit of its partition, or traffic grew at once",
                    {
                        "reads": Metric("AWS/DynamoDB", "ReadThrottleEvents", "Sum", table),
                        "writes": Metric("AWS/DynamoDB", "WriteThrottleEvents", "Sum", table),
                    },
                    expression="FILL(reads, 0) + FILL(writes, 0)",
                    threshold=0,
                    breaches=2,
                    of=3,
                )
            ],
        ),
        Watch(
            "Conflicts (% of the calls)",
            [
                Alarm(
                    "ConflictsAlarm",
                    "Of a hundred calls or more in a quarter of an hour, one in twenty lost a race to another writer",
                    {"conflicts": own(CONFLICTS, "Sum"), "calls": of_api("Count", "Sum")},
                    expression="IF(calls >= 100, 100 * FILL(conflicts, 0) / calls, 0)",
                    threshold=5,
                    period=900,
                )
            ],
        ),
        Watch(
            "Dead letters",
            [
                dead_letters(
                    "RefreshDeadLetters", "Groups could not be refreshed; their searches stay exact, but slow down"
                ),
                dead_letters("ScheduleDeadLetters", "A scheduled refresh did not run, or failed, in spite of retries"),
            ],
        ),
        Watch(
            "Refresh age (s)",
            [
                Alarm(
                    # The schedule tells it every 15 minutes, and two of its runs fit into a period. Silence is a fault
                    # as well: so the alarm is on until the first run of a new stack.
                    "RefreshAgeAlarm",
                    "A changed group has waited for its refresh for 45 minutes, or the schedule does not run",
                    {"age": own(REFRESH_AGE, "Maximum")},
                    threshold=2700,
                    period=1800,
                    missing="breaching",
                )
            ],
        ),
        Watch(
            "View evictions (in an hour)",
            [
                Alarm(
                    "ViewEvictionsAlarm",
                    "More than one group a minute is dropped from memory and loaded again: a function needs more of it",
                    {"evictions": own(VIEW_EVICTIONS, "Sum")},
                    threshold=60,
                    period=3600,
                )
            ],
        ),
        Watch(
            "Unreadable items (met in 5 minutes)",
            [
                Alarm(
                    "UnreadableItemsAlarm",
                    "Something stored cannot be read: all else is answered without it; the log names its key",
                    {"items": own(UNREADABLE_ITEMS, "Sum")},
                    threshold=0,
                )
            ],
        ),
        Watch(
            "Clocks off (calls in 5 minutes)",
            [
                Alarm(
                    "ClocksOffAlarm",
                    "A function's machine has a clock more than a second off AWS's; its calls go by AWS's time",
                    {"calls": own(CLOCKS_OFF, "Sum")},
                    threshold=0,
                )
            ],
        ),
    )


def resources(functions: Iterable[str]) -> dict[str, Node]:
    """The log groups, alarms and the dashboard of a stack with these functions, by logical id."""
    names = sorted(functions)
    watched = watches(names)
    return {
        **{f"{name.removesuffix('Function')}Logs": _log_group(name) for name in names},
        **{alarm.logical_id: _alarm(alarm) for watch in watched for alarm in watch.alarms},
        "Dashboard": _dashboard(watched),
    }


def section(functions: Iterable[str]) -> str:
    """The part of template.yaml that this module writes, markers included."""
    blocks = [_block({logical_id: resource}, depth=3) for logical_id, resource in resources(functions).items()]
    body = textwrap.indent("\n\n".join(blocks), "  ")
    return f"{BEGIN:-<120}\n\n{body}\n\n{END:-<120}\n"


def written(path: Path) -> str:
    """The template as it is to be: the part between the markers is what its functions ask for.

    Raises:
        TemplateError: it lacks a marker.
        OSError: it cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise TemplateError(f"{path.name} lacks a marker of `make monitoring`")
    return before + section(template.functions(path)) + after.partition("\n")[2]


def main() -> None:
    """Write the part of the template that is named on the command line."""
    path = Path(sys.argv[1])
    path.write_text(written(path), encoding="utf-8")


# ---- Resources ---------------------------------------------------------------------------------------------------


def _log_group(function: str) -> Node:
    name = function.removesuffix("Function").lower()
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "LogGroupName": {"Fn::Sub": f"/personas/${{AWS::StackName}}/{name}"},
            "RetentionInDays": {"Ref": "LogRetentionDays"},
        },
    }


def _alarm(alarm: Alarm) -> Node:
    if alarm.expression is None:
        (metric,) = alarm.metrics.values()
        statistic = "ExtendedStatistic" if metric.statistic.startswith("p") else "Statistic"
        watched: dict[str, Node] = {**_metric(metric), statistic: metric.statistic, "Period": alarm.period}
    else:
        queries: list[Node] = [{"Id": "rate", "Expression": alarm.expression, "ReturnData": True}]
        for name, metric in alarm.metrics.items():
            stat: Node = {"Metric": _metric(metric), "Stat": metric.statistic, "Period": alarm.period}
            queries.append({"Id": name, "MetricStat": stat, "ReturnData": False})
        watched = {"Metrics": queries}
    told: Node = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": f"{alarm.says}. See docs/runbook.md",
            **watched,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": alarm.threshold,
            "EvaluationPeriods": alarm.of,
            "DatapointsToAlarm": alarm.breaches,
            "TreatMissingData": alarm.missing,
            "AlarmActions": told,
            "OKActions": told,
        },
    }


def _metric(metric: Metric) -> dict[str, Node]:
    dimensions: list[Node] = [{"Name": name, "Value": _value(value)} for name, value in metric.dimensions.items()]
    named: dict[str, Node] = {"Namespace": metric.namespace, "MetricName": metric.name}
    return {**named, "Dimensions": dimensions} if dimensions else named


def _value(value: str) -> Node:
    logical_id, _, attribute = value.partition(".")
    return {"Fn::GetAtt": [logical_id, attribute]} if attribute else {"Ref": logical_id}


def _dashboard(watched: Sequence[Watch]) -> Node:
    columns, rows = _WIDGET
    widgets: list[Node] = []
    for place, watch in enumerate(watched):
        left = place * columns
        first = watch.alarms[0]
        widgets.append(
            {
                "type": "metric",
                "x": left % _GRID,
                "y": left // _GRID * rows,
                "width": columns,
                "height": rows,
                "properties": {
                    "title": watch.title,
                    "region": "${AWS::Region}",
                    "period": first.period,
                    "metrics": [line for alarm in watch.alarms for line in _lines(alarm)],
                    "annotations": {"horizontal": [{"label": "alarm above", "value": first.threshold}]},
                },
            }
        )
    body = ",\n".join(f"  {json.dumps(widget)}" for widget in widgets)
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            # Dashboards of an account share their names across regions.
            "DashboardName": {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"},
            "DashboardBody": {"Fn::Sub": f'{{"widgets": [\n{body}\n]}}\n'},
        },
    }


def _lines(alarm: Alarm) -> list[Node]:
    """The series of an alarm as a dashboard names them."""
    lines: list[Node] = []
    if alarm.expression is not None:
        lines.append([{"id": "rate", "expression": alarm.expression, "label": alarm.logical_id.removesuffix("Alarm")}])
    for name, metric in alarm.metrics.items():
        line: list[Node] = [metric.namespace, metric.name]
        for dimension, value in metric.dimensions.items():
            line += [dimension, f"${{{value}}}"]
        hidden: dict[str, Node] = {} if alarm.expression is None else {"id": name, "visible": False}
        lines.append([*line, {"stat": metric.statistic, **hidden}])
    return lines


# ---- YAML --------------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: CloudFormation's functions in their short forms, nothing by reference."""

    def ignore_aliases(self, _data: object) -> bool:
        """Write out what stands in two places."""
        return True


def _block(node: Node, depth: int) -> str:
    """A part of the template: mappings and lists down to that depth in lines of their own, deeper ones within one."""
    if isinstance(node, dict) and depth and not _is_function(node):
        return "\n".join(f"{name}:{_inner(inner, depth - 1)}" for name, inner in node.items())
    text = yaml.dump(node, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=sys.maxsize)
    return _QUOTED.sub(r"\1 \2", str(text)).removesuffix("...\n").rstrip()


def _inner(node: Node, depth: int) -> str:
    if isinstance(node, list) and len(node) > 1:
        return "".join(f"\n  - {_block(item, 0)}" for item in node)
    if isinstance(node, dict) and depth and not _is_function(node):
        return "\n" + textwrap.indent(_block(node, depth), "  ")
    return f" {_block(node, 0)}"


def _is_function(node: Mapping[str, Node]) -> bool:
    return len(node) == 1 and next(iter(node)) in _SHORT


def _represent(dumper: _Dumper, node: dict[str, Node]) -> yaml.Node:
    if not _is_function(node):
        return dumper.represent_dict(node)
    ((name, argument),) = node.items()
    if name == "Fn::GetAtt" and isinstance(argument, list):
        argument = ".".join(map(str, argument))
    if isinstance(argument, list):
        return dumper.represent_sequence(_SHORT[name], argument, flow_style=True)
    text = str(argument)
    style = "|" if "\n" in text else '"' if "$" in text else None
    return dumper.represent_scalar(_SHORT[name], text, style)


_Dumper.add_representer(dict, _represent)

if __name__ == "__main__":
    main()
