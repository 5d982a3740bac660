"""Whole requests at size: search and refresh through their handlers, everything but the network to AWS.

AWS is answered in this process (`aws_in_memory`), so the measured time is the function's own: the event, the
caller, the feed, the view, the models, the answer's JSON, the log line. The CPU time is that of all threads; the part
of it that AWS's answers take is told apart.
"""

import importlib.util
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from itertools import count
from statistics import fmean, median
from types import SimpleNamespace
from typing import Any, NamedTuple

import click
from group_in_memory import ROOT, Group
from library import VARIANTS, Library
from refresh_steps import StepTimer, table_of_steps
from silence import quiet
from timing import Times, machine, ms, p99

from personas import runtime
from personas.contract.registry import OPERATIONS
from personas.operations import refresh_pass

REFRESHES = 5
REWRITTEN_FROM = 50
"""One change to so many personas is more than is left beside the columns of the search view: they are rewritten."""

type Handler = Callable[[dict[str, Any], object], dict[str, Any]]


# ---- Calling the handlers --------------------------------------------------------------------------------------------


def handler_of(operation: str) -> Handler:
    """Return the handler of a function."""
    spec = importlib.util.spec_from_file_location(f"handler_{operation}", ROOT / "functions" / operation / "handler.py")
    if spec is None or spec.loader is None:
        raise click.ClickException(f"there is no function {operation}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Handler = module.lambda_handler
    return handler


_numbers = count()


def event_of(operation: str, key: str, body: object) -> dict[str, Any]:
    """Return an event of API Gateway, payload version 2.0."""
    path = OPERATIONS[operation].path
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "x-api-key": key},
        "requestContext": {
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "x"},
            "requestId": f"request-{next(_numbers)}",
            "stage": "$default",
        },
        "isBase64Encoded": False,
        "body": json.dumps(body),
    }


CONTEXT = SimpleNamespace(
    function_name="benchmark",
    memory_limit_in_mb=1769,
    invoked_function_arn="arn:aws:lambda:eu-central-1:000000000000:function:benchmark",
    aws_request_id="request",
    get_remaining_time_in_millis=lambda: 29_000,
)


def call(handler: Handler, event: dict[str, Any]) -> dict[str, Any]:
    """Call the handler, and return the answer's body."""
    answer = handler(event, CONTEXT)
    if answer["statusCode"] != HTTPStatus.OK:
        raise click.ClickException(f"{answer['statusCode']}: {answer['body']}")
    body: dict[str, Any] = json.loads(answer["body"])
    return body


# ---- Measuring -------------------------------------------------------------------------------------------------------


class Calls(NamedTuple):
    """The times of the same call, the caller's own, beside the CPU seconds of AWS's side, and what was asked of AWS."""

    own: Times
    aws: list[float]
    asked: list[Counter[str]]


@contextmanager
def measured(group: Group, calls: Calls) -> Iterator[None]:
    """Measure the call that the block makes."""
    group.aws.calls.clear()
    before = group.aws.cpu_seconds
    with calls.own.timed(group.aws.callers_cpu_seconds):
        yield
    calls.aws.append(group.aws.cpu_seconds - before)
    calls.asked.append(Counter(group.aws.calls))


def figures_of(calls: Calls) -> str:
    """Return median and p99 of the wall time, mean and p99 of the CPU time, and the mean of AWS's side: all in ms."""
    wall, cpu = calls.own.wall, calls.own.cpu
    return " | ".join(map(ms, (median(wall), p99(wall), fmean(cpu), p99(cpu), fmean(calls.aws))))


def bodies_of(library: Library) -> dict[str, list[dict[str, object]]]:
    """Return the kinds of searches, by label."""
    chance = random.Random(25)
    departments, fields = library.options["departments"], library.options["fields"]
    filtered = [
        {"filter_department_ids": chance.sample(departments, 3), "field_ids": chance.sample(fields, 5)}
        for _ in range(VARIANTS)
    ]
    return {
        "no filter": [{}],
        "text, 5 hits": [{"search": word} for word in library.rare],
        "text, 1 % hits": [{"search": word} for word in library.frequent],
        "text of 2 letters": [{"search": word} for word in library.syllables],
        "3 departments + 5 fields": filtered,
    }


def table_of_searches(group: Group, rounds: int) -> Iterator[str]:
    """Yield every kind of search by both people, with and without changes in the window of the feed, as Markdown."""
    handler = handler_of("search")
    size = f"{group.library.size:,}"
    yield f"| search, {size} personas | caller | changes in the window | wall | p99 | CPU | p99 | AWS's side | asked |"
    yield "| --- " * 9 + "|"
    # The feed's window must have passed over the loading of the library, or it would be read again at every search.
    time.sleep(runtime.FEED_WINDOW.total_seconds())
    for changes in (0, 100):
        chance = random.Random(changes)
        for label, bodies in bodies_of(group.library).items():
            for who, key in group.keys.items():
                calls = Calls(Times(), [], [])
                with group.undone():
                    group.change(changes, chance)
                    call(handler, event_of("search", key, {}))
                    for number in range(rounds):
                        event = event_of("search", key, bodies[number % len(bodies)])
                        with measured(group, calls):
                            answer = handler(event, CONTEXT)
                        if answer["statusCode"] != HTTPStatus.OK:
                            raise click.ClickException(str(answer))
                yield f"| {label} | {who} | {changes} | {figures_of(calls)} | {_listed(calls.asked[-1])} |"
    yield ""


def tables_of_refreshes(group: Group) -> Iterator[str]:
    """Yield a refresh of all views after so many changes, each time from the same views, and its steps, as Markdown."""
    handler, size, timers = handler_of("refresh"), group.library.size, []
    yield f"| refresh, {size:,} personas | wall | most | CPU | most | AWS's side | asked |"
    yield "| --- " * 7 + "|"
    for changes in sorted({0, 100, 1_000, size // REWRITTEN_FROM}):
        calls, timer = Calls(Times(), [], []), StepTimer(group.aws.callers_cpu_seconds)
        for number in range(REFRESHES):
            with group.undone():
                group.change(changes, random.Random(number))
                with timer.round(), measured(group, calls):
                    answer = call(handler, event_of("refresh", group.keys["a superadmin"], {}))
                if answer["refreshed_views"] != (list(refresh_pass.VIEWS) if changes else []):
                    raise click.ClickException(str(answer))
        yield f"| {changes:,} changes | {figures_of(calls)} | {_listed(calls.asked[-1])} |"
        timers.append((changes, timer, median(calls.own.cpu)))
    yield ""
    yield from table_of_steps(size, timers)
    yield ""


def _listed(asked: Counter[str]) -> str:
    return ", ".join(f"{number} {operation}" for operation, number in sorted(asked.items()))


@click.command()
@click.option("--size", default=100_000, show_default=True, help="How many personas.")
@click.option("--rounds", default=200, show_default=True, help="How often each kind of search is asked.")
def main(size: int, rounds: int) -> None:
    """Measure, and write a report in Markdown. All times are in ms; CPU is without AWS's side."""
    with quiet():
        group = Group(size)
        lines = [*table_of_searches(group, rounds), *tables_of_refreshes(group)]
    click.echo("\n".join([*lines, f"Ended on {machine()}."]))


if __name__ == "__main__":
    main()
