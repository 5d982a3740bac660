"""The sources of events in template.yaml that Lambda reads for a function: queues, and the streams of tables."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from personas_tools.template import load
from personas_tools.template_nodes import Node, TemplateError, condition_of, of_type

_ALIAS: Final = ".Alias"
"""SAM's name for a function's alias ends so."""


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A queue whose messages go to a function, so many at a time."""

    function: str
    queue: str
    batch_size: int


@dataclass(frozen=True, slots=True)
class StreamSource:
    """A table whose writes go to a function: those that match ``pattern``, so many at a time.

    ``attempts`` is how often a record is tried at most. One that has a ``condition`` is only in stacks whose parameters
    make it true.
    """

    function: str
    table: str
    pattern: Node
    batch_size: int
    attempts: int
    condition: str | None = None


def queue_sources(path: Path) -> tuple[QueueSource, ...]:
    """Return the queues that feed functions; both go by their logical ids."""
    return tuple(each for each in _sources(path) if isinstance(each, QueueSource))


def stream_sources(path: Path) -> tuple[StreamSource, ...]:
    """Return the tables whose writes go to functions; both go by their logical ids."""
    return tuple(each for each in _sources(path) if isinstance(each, StreamSource))


def _sources(path: Path) -> list[QueueSource | StreamSource]:
    found: list[QueueSource | StreamSource] = []
    document = load(path)
    for logical_id, properties in of_type(document, "AWS::Lambda::EventSourceMapping").items():
        match properties:
            case {
                "FunctionName": {"Ref": str(alias)},
                "EventSourceArn": {"Fn::GetAtt": [str(queue), "Arn"]},
                "BatchSize": int(size),
            }:
                found.append(QueueSource(alias.removesuffix(_ALIAS), queue, size))
            case {
                "FunctionName": {"Ref": str(alias)},
                "EventSourceArn": {"Fn::GetAtt": [str(table), "StreamArn"]},
                "FilterCriteria": {"Filters": [{"Pattern": str(pattern)}]},
                "BatchSize": int(size),
                "MaximumRetryAttempts": int(retries),
            }:
                function, condition = alias.removesuffix(_ALIAS), condition_of(document, logical_id)
                found.append(StreamSource(function, table, json.loads(pattern), size, retries + 1, condition))
            case _:
                raise TemplateError(f"{logical_id} leads from no queue or stream to a function of this template")
    return found
