"""The part of template.yaml that follows from its list of functions: a log group each, the alarms, the dashboard.

All of it comes from one list, ``watches``. ``make monitoring`` writes it between the two markers of the template, and
``make check`` compares it.
"""

import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from personas_tools import template
from personas_tools.alarms import Alarm, Metric, Watch
from personas_tools.template import TableRequest
from personas_tools.template_nodes import Node, TemplateError, as_list, as_mapping, text_in
from personas_tools.template_writer import block
from personas_tools.watches import watches

BEGIN: Final = "  # ---- Written by `make monitoring` from tools/personas_tools/watches.py: change that, not this "
END: Final = "  # ---- End of what `make monitoring` writes "

_GRID: Final = 24
"""A dashboard is so many columns wide."""
_WIDGET: Final = (8, 6)
"""Columns and rows of a widget."""


def resources(path: Path) -> dict[str, Node]:
    """Return the log groups, alarms and the dashboard that go with the functions and tables of a template."""
    functions = template.functions(path)
    tables = {name: global_indexes(table) for name, table in template.table_requests(path).items()}
    watched = watches(functions, tables)
    return {
        **{f"{name.removesuffix('Function')}Logs": _log_group(name) for name in sorted(functions)},
        **{alarm.logical_id: _alarm(alarm) for watch in watched for alarm in watch.alarms},
        "Dashboard": _dashboard(watched),
    }


def section(path: Path) -> str:
    """Return the part of the template that this module writes, markers included."""
    blocks = [block({logical_id: resource}, depth=3) for logical_id, resource in resources(path).items()]
    body = textwrap.indent("\n\n".join(blocks), "  ")
    return f"{BEGIN:-<120}\n\n{body}\n\n{END:-<120}\n"


def written(path: Path) -> str:
    """Return the template as it is to be: the part between the markers is what its functions ask for.

    Raises:
        TemplateError: it lacks a marker.
        OSError: it cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise TemplateError(f"{path.name} lacks a marker of `make monitoring`")
    return before + section(path) + after.partition("\n")[2]


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


def global_indexes(table: TableRequest) -> list[str]:
    """Return the names of the global indexes of a table."""
    indexes = as_list(table.arguments.get("GlobalSecondaryIndexes", []), "GlobalSecondaryIndexes")
    return [text_in(as_mapping(index, "GlobalSecondaryIndexes"), "IndexName", "an index") for index in indexes]


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
    condition, topic = ("HasAlarmTopic", "AlarmTopicArn") if alarm.pages else ("HasNoticeTopic", "NoticeTopicArn")
    told: Node = {"Fn::If": [condition, [{"Ref": topic}], {"Ref": "AWS::NoValue"}]}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        **({"Condition": alarm.condition} if alarm.condition else {}),
        "Properties": {
            **({"AlarmName": {"Fn::Sub": f"${{AWS::StackName}}-{alarm.logical_id}"}} if alarm.named else {}),
            "AlarmDescription": f"{alarm.says}. See docs/runbook.md",
            **watched,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": {"Ref": alarm.threshold_parameter} if alarm.threshold_parameter else alarm.threshold,
            "EvaluationPeriods": alarm.of,
            "DatapointsToAlarm": alarm.breaches,
            "TreatMissingData": alarm.missing,
            "AlarmActions": told,
            # That a notice is over can be read where it is worked on.
            **({"OKActions": told} if alarm.pages else {}),
        },
    }


def _metric(metric: Metric) -> dict[str, Node]:
    dimensions: list[Node] = [{"Name": name, "Value": _value(value)} for name, value in metric.dimensions.items()]
    named: dict[str, Node] = {"Namespace": metric.namespace, "MetricName": metric.name}
    return {**named, "Dimensions": dimensions} if dimensions else named


def _value(value: str) -> Node:
    if value.startswith("="):
        return value[1:]
    logical_id, _, attribute = value.partition(".")
    return {"Fn::GetAtt": [logical_id, attribute]} if attribute else {"Ref": logical_id}


def _dashboard(watched: Sequence[Watch]) -> Node:
    columns, rows = _WIDGET
    widgets: list[Node] = []
    shown = [(watch.title, [alarm for alarm in watch.alarms if alarm.condition is None]) for watch in watched]
    for place, (title, alarms) in enumerate([each for each in shown if each[1]]):
        left = place * columns
        first = alarms[0]
        widgets.append(
            {
                "type": "metric",
                "x": left % _GRID,
                "y": left // _GRID * rows,
                "width": columns,
                "height": rows,
                "properties": {
                    "title": title,
                    "region": "${AWS::Region}",
                    "period": first.period,
                    "metrics": [line for alarm in alarms for line in _lines(alarm)],
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
    """Return the series of an alarm as a dashboard names them."""
    lines: list[Node] = []
    if alarm.expression is not None:
        lines.append([{"id": "rate", "expression": alarm.expression, "label": alarm.logical_id.removesuffix("Alarm")}])
    for name, metric in alarm.metrics.items():
        line: list[Node] = [metric.namespace, metric.name]
        for dimension, value in metric.dimensions.items():
            line += [dimension, value[1:] if value.startswith("=") else f"${{{value}}}"]
        hidden: dict[str, Node] = {} if alarm.expression is None else {"id": name, "visible": False}
        lines.append([*line, {"stat": metric.statistic, **hidden}])
    return lines


if __name__ == "__main__":
    main()
