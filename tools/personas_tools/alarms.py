"""The parts of a watch over a stack: metrics, the alarms on them, and the widgets that show both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A series of CloudWatch.

    Values of ``dimensions`` are logical ids, attributes such as ``Queue.QueueName``, or, behind "=", texts as they are.
    """

    namespace: str
    name: str
    statistic: str
    dimensions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that goes on if the metric, or the ``expression`` of several, lies above ``threshold``.

    ``threshold_parameter``: the parameter of the template with the true threshold; ``threshold`` is its default.
    ``period`` is in seconds; of the last ``of`` periods so many as ``breaches`` says must lie above it. ``pages`` is
    True where callers are not served: somebody is woken, and told when it is over. The others wait until the morning.
    ``named``: by its logical id and the stack's name, so that deployments can look at it without referring to it.
    One that is there only on a ``condition`` of the stack is on no dashboard, which cannot name what may not be there.
    """

    logical_id: str
    says: str
    metrics: Mapping[str, Metric]
    threshold: float
    period: int = 300
    threshold_parameter: str | None = None
    breaches: int = 1
    of: int = 1
    expression: str | None = None
    missing: Literal["notBreaching", "breaching"] = "notBreaching"
    pages: bool = False
    named: bool = False
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """A widget of the dashboard, and the alarms on what it shows."""

    title: str
    alarms: Sequence[Alarm] = field(default_factory=tuple)
