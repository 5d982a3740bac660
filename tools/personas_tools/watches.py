"""The watch over a stack: the widgets of the dashboard and the alarms on what they show.

Prices of alarms go by the metric, so none watches what another one shows as well; docs/adr/0023 says which these are.

An expression counts a series that is missing at a moment as 0, by the rule of CloudWatch's arithmetic; FILL would put a
0 where a value is only late, and hold the alarm off.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from personas.observability import (
    CLOCKS_OFF,
    COLLECTION_SIZE,
    CONFLICTS,
    NAMESPACE,
    REFRESH_AGE,
    UNAUTHENTICATED,
    UNREADABLE_ITEMS,
    VIEW_EVICTIONS,
)
from personas.runtime import GATEWAY_WAITS
from personas_tools.alarms import Alarm, Metric, Watch
from personas_tools.template import Function

SENDS_EVENTS: Final = "SendsEvents"
"""The condition of the stack that an event bus is told of versions."""


def _of_api(name: str, statistic: str) -> Metric:
    return Metric("AWS/ApiGateway", name, statistic, {"ApiId": "Api"})


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
        expression="kept + dropped",
        threshold=0,
        condition=condition,
    )


_API: Final = (
    Watch(
        "Server errors (% of the calls)",
        [
            Alarm(
                "ServerErrorsAlarm",
                "More than four callers, and one in a hundred, get 500 or 503 in five minutes",
                {"errors": _of_api("5xx", "Sum"), "calls": _of_api("Count", "Sum")},
                expression="IF(errors > 4, 100 * errors / calls, 0)",
                threshold=1,
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
    Watch(
        "Longest call (ms)",
        [
            Alarm(
                # API Gateway gives up after 30 s, and a function ends its work after 24 s, or soon after.
                "TimeLimitAlarm",
                "A call takes more than 27 of the 30 seconds that API Gateway waits",
                {"longest": _of_api("IntegrationLatency", "Maximum")},
                threshold=27_000,
                breaches=2,
                of=3,
            )
        ],
    ),
    Watch(
        "Authentication failures (% of the calls)",
        [
            Alarm(
                "AuthenticationFailuresAlarm",
                "A hundred calls or more in five minutes, and one in five, have a credential that is none",
                {"refused": _own(UNAUTHENTICATED, "Sum"), "calls": _of_api("Count", "Sum")},
                expression="IF(refused >= 100, 100 * refused / calls, 0)",
                threshold=20,
            )
        ],
    ),
)

_REST: Final = (
    Watch(
        "Function throttles (% of the invocations, the whole account)",
        [
            Alarm(
                # Without a dimension: the functions of an account share one concurrency limit, and whoever uses it
                # up, the next to be turned away are this stack's callers.
                "ThrottlesAlarm",
                "Lambda turns one call in a hundred away: the concurrency of the account is used up",
                {
                    "throttles": Metric("AWS/Lambda", "Throttles", "Sum", {}),
                    "invocations": Metric("AWS/Lambda", "Invocations", "Sum", {}),
                },
                expression="100 * throttles / (throttles + invocations)",
                threshold=1,
                breaches=2,
                of=3,
                pages=True,
            )
        ],
    ),
    Watch(
        "Concurrency claimed (the whole account)",
        [
            Alarm(
                # Reserved concurrency counts as well as executions do. The quota itself is no metric.
                "ConcurrencyAlarm",
                "The functions of the account come near its quota of concurrency",
                {"claimed": Metric("AWS/Lambda", "ClaimedAccountConcurrency", "Maximum", {})},
                threshold=800,
                threshold_parameter="ConcurrencyWarning",
            )
        ],
    ),
    Watch(
        "Size of a group's item collection (GB, told from 4 on)",
        [
            Alarm(
                "CollectionSizeAlarm",
                "The items of a group take more than 8 of the 10 GB that they may: soon nothing can be saved there",
                {"size": _own(COLLECTION_SIZE, "Maximum")},
                threshold=8,
                period=86_400,
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
                expression="IF(calls >= 100, 100 * conflicts / calls, 0)",
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
        "Age of the refresh queue (s)",
        [
            Alarm(
                # A group that fails once comes back after half an hour.
                "RefreshQueueAgeAlarm",
                "A group has waited on the queue for an hour: refreshes fail, or come in faster than they are done",
                {
                    "age": Metric(
                        "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", {"QueueName": "RefreshQueue.QueueName"}
                    )
                },
                threshold=3600,
            )
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
        "View evictions (% of the calls)",
        [
            Alarm(
                "ViewEvictionsAlarm",
                "One call in ten drops a group from memory, to be loaded again: a function needs more of it",
                {"evictions": _own(VIEW_EVICTIONS, "Sum"), "calls": _of_api("Count", "Sum")},
                expression="IF(evictions >= 60, 100 * evictions / calls, 0)",
                threshold=10,
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


def watches(functions: Mapping[str, Function], tables: Mapping[str, Sequence[str]]) -> tuple[Watch, ...]:
    """Return all that is watched in a stack with these functions and tables, by logical id.

    Of a table the names of its global indexes are given.
    """
    of_functions = Watch(
        "Function errors (in 5 minutes)",
        [
            Alarm(
                f"{name}ErrorsAlarm",
                f"{name} crashed, ran out of memory or out of time",
                {"errors": Metric("AWS/Lambda", "Errors", "Sum", {"FunctionName": name})},
                threshold=0,
                condition=function.condition,
            )
            for name, function in sorted(functions.items())
        ],
    )
    return (*_API, of_functions, *_times(functions), *_throttles(tables), *_REST)


def _times(functions: Mapping[str, Function]) -> Iterator[Watch]:
    """Yield the watch over the time of the functions that API Gateway does not wait for, or not alone."""
    alarms = [
        Alarm(
            f"{name}TimeAlarm",
            f"{name} takes nine tenths of the {function.timeout} seconds that it may",
            {"longest": Metric("AWS/Lambda", "Duration", "Maximum", {"FunctionName": name})},
            threshold=900 * function.timeout,
            condition=function.condition,
        )
        for name, function in sorted(functions.items())
        if not function.routes or function.timeout > GATEWAY_WAITS.seconds
    ]
    if alarms:
        yield Watch("Longest run beside the API (ms)", alarms)


def _throttles(tables: Mapping[str, Sequence[str]]) -> Iterator[Watch]:
    """Yield the watch over throttling: of each table and each of its global indexes, which are counted apart."""
    series = [
        {"TableName": table, **({"GlobalSecondaryIndexName": f"={index}"} if index else {})}
        for table, indexes in sorted(tables.items())
        for index in ("", *indexes)
    ]
    if series:
        metrics = {
            f"{kind.lower()}s{place}": Metric("AWS/DynamoDB", f"{kind}ThrottleEvents", "Sum", dimensions)
            for place, dimensions in enumerate(series)
            for kind in ("Read", "Write")
        }
        alarm = Alarm(
            "TableThrottlesAlarm",
            "DynamoDB throttles: a group is at the limit of its partition, or traffic grew at once",
            metrics,
            expression=" + ".join(metrics),
            threshold=0,
            breaches=2,
            of=3,
        )
        yield Watch("Table throttles (in 5 minutes)", [alarm])
