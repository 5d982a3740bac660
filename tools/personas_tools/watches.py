"""The watch over a stack: the widgets of the dashboard and the alarms on what they show.

Prices of alarms go by the metric, so none watches what another one shows as well; docs/adr/0025 says which these are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from personas.observability import CLOCKS_OFF, CONFLICTS, NAMESPACE, REFRESH_AGE, UNREADABLE_ITEMS, VIEW_EVICTIONS

SENDS_EVENTS: Final = "SendsEvents"
"""The condition of the stack that an event bus is told of versions."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A series of CloudWatch. Values of ``dimensions`` are logical ids, or attributes such as ``Queue.QueueName``."""

    namespace: str
    name: str
    statistic: str
    dimensions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that goes on if the metric, or the ``expression`` of several, lies above ``threshold``.

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


def _of_api(name: str, statistic: str) -> Metric:
    return Metric("AWS/ApiGateway", name, statistic, {"ApiId": "Api"})


def _of_table(name: str) -> Metric:
    return Metric("AWS/DynamoDB", name, "Sum", {"TableName": "PersonasTable"})


def _own(name: str, statistic: str) -> Metric:
    return Metric(NAMESPACE, name, statistic, {"service": "AWS::StackName"})


def _of_mapping(name: str, mapping: str) -> Metric:
    return Metric("AWS/Lambda", name, "Sum", {"EventSourceMappingUUID": mapping})


def _dead_letters(queue: str, says: str) -> Alarm:
    visible = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", {"QueueName": f"{queue}.QueueName"})
    return Alarm(f"{queue}Alarm", says, {"letters": visible}, threshold=0)


def _behind(reader: str, says: str, condition: str | None = None) -> Alarm:
    """Return the alarm of a reader of the stream that is behind, by the name of its function."""
    age = Metric("AWS/Lambda", "IteratorAge", "Maximum", {"FunctionName": f"{reader}Function"})
    return Alarm(f"{reader}AgeAlarm", says, {"age": age}, threshold=900_000, condition=condition)


def _given_up(reader: str, says: str, condition: str | None = None) -> Alarm:
    """Return the alarm of a reader of the stream whose records were given up."""
    return Alarm(
        f"{reader}FailuresAlarm",
        says,
        {
            "kept": _of_mapping("OnFailureDestinationDeliveredEventCount", f"{reader}Mapping"),
            "dropped": _of_mapping("DroppedEventCount", f"{reader}Mapping"),
        },
        expression="FILL(kept, 0) + FILL(dropped, 0)",
        threshold=0,
        condition=condition,
    )


_API: Final = (
    Watch(
        "Server errors (5xx in 5 minutes)",
        [
            Alarm(
                "ServerErrorsAlarm",
                "Callers get 500 or 503: more than four in five minutes",
                {"errors": _of_api("5xx", "Sum")},
                threshold=4,
                pages=True,
                named=True,
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
                {"latency": _of_api("Latency", "p99")},
                threshold=3000,
                breaches=3,
                of=3,
                pages=True,
                named=True,
            )
        ],
    ),
)

_REST: Final = (
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
                pages=True,
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
                    "reads": _of_table("ReadThrottleEvents"),
                    "writes": _of_table("WriteThrottleEvents"),
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
                {"conflicts": _own(CONFLICTS, "Sum"), "calls": _of_api("Count", "Sum")},
                expression="IF(calls >= 100, 100 * FILL(conflicts, 0) / calls, 0)",
                threshold=5,
                period=900,
            )
        ],
    ),
    Watch(
        "Dead letters",
        [
            _dead_letters(
                "RefreshDeadLetters", "Groups could not be refreshed; their searches stay exact, but slow down"
            ),
            _dead_letters("ScheduleDeadLetters", "A scheduled refresh did not run, or failed, in spite of retries"),
        ],
    ),
    Watch(
        "Age of what is recorded (ms)",
        [_behind("RecordHistory", "Versions are recorded a quarter of an hour after they were made, or later")],
    ),
    Watch(
        "Versions that were not recorded",
        [_given_up("RecordHistory", "Versions could not be recorded: what is to be replayed lies in the bucket")],
    ),
    Watch(
        "Events",
        [
            _behind("SendEvents", "Events are sent a quarter of an hour after what they tell, or later", SENDS_EVENTS),
            _given_up("SendEvents", "Events were not sent: what is to be replayed lies in the bucket", SENDS_EVENTS),
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
                {"age": _own(REFRESH_AGE, "Maximum")},
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
                {"evictions": _own(VIEW_EVICTIONS, "Sum")},
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
                {"items": _own(UNREADABLE_ITEMS, "Sum")},
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
                {"calls": _own(CLOCKS_OFF, "Sum")},
                threshold=0,
            )
        ],
    ),
)


def watches(functions: Mapping[str, str | None]) -> tuple[Watch, ...]:
    """Return all that is watched in a stack with these functions: the condition of each, if any, by logical id."""
    of_functions = Watch(
        "Function errors (in 5 minutes)",
        [
            Alarm(
                f"{name}ErrorsAlarm",
                f"{name} crashed, ran out of memory or out of time",
                {"errors": Metric("AWS/Lambda", "Errors", "Sum", {"FunctionName": name})},
                threshold=0,
                condition=functions[name],
            )
            for name in sorted(functions)
        ],
    )
    return (*_API, of_functions, *_REST)
