"""The distance of each way of the read side from its floor: the least that anybody could do in its place.

A call's floor is its own requests, sent by a client of botocore's that has nothing of ours, and answered by the same
AWS in memory. A snapshot's floor is its bytes, copied, and inflated or deflated. CPU time, without that of AWS's side.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from unittest.mock import patch

import click
from botocore.config import Config
from botocore.session import get_session
from group_in_memory import GROUP, Group
from isal import isal_zlib
from noted_requests import requests_of
from service import call, event_of, handler_of
from silence import quiet
from timing import Times, machine, ms

from personas import runtime
from personas.search.object_format import deflate, inflate
from personas.search.snapshot_format import Snapshot, decode, encode
from personas.services import services
from personas.store import keys
from personas.views.search_views import SEARCH_VIEW

CHANGES = 100
ROUNDS_LEAST, SECONDS = 5, 2.0


class Floors:
    """The measures of what is done with a group against their floors."""

    def __init__(self, group: Group) -> None:
        self._group = group
        session, config = get_session(), Config(parameter_validation=False)
        self._bare = {service: session.create_client(service, config=config) for service in ("dynamodb", "s3")}
        for client in self._bare.values():
            group.aws.answer(client)

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the CPU seconds of some work: the median of several times, after one that is not counted."""
        times, began = Times(), time.perf_counter()
        work()
        while len(times.cpu) < ROUNDS_LEAST or time.perf_counter() - began < SECONDS:
            with times.timed(self._group.aws.callers_cpu_seconds):
                work()
        return median(times.cpu)

    def row_of_call(
        self,
        label: str,
        operation: str,
        body: object = None,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> str:
        """Return the row of a superadmin's call against its own requests by the bare clients.

        Both are made within what ``around`` returns.
        """
        handler, event = handler_of(operation), event_of(operation, self._group.keys["a superadmin"], body or {})
        if around is nullcontext:
            call(handler, event)  # what an environment reads once
        with around(), requests_of([runtime.dynamodb(), runtime.s3()]) as requests:
            call(handler, event)

        def own() -> None:
            with around():
                call(handler, event)

        def bare() -> None:
            with around():
                for request in requests:
                    self._bare[request.service]._make_api_call(request.operation, request.parameters)

        return self.row(label, own, f"its {len(requests)} requests by a bare botocore client", bare)

    def row(self, label: str, own: Callable[[], object], floor: str, least: Callable[[], object]) -> str:
        """Return the row of some work against the least in its place."""
        seconds, seconds_least = self.seconds(own), self.seconds(least)
        return f"| {label} | {ms(seconds)} | {floor} | {ms(seconds_least)} | {seconds / seconds_least:.1f} |"


def rows_of_calls(group: Group, floors: Floors) -> Iterator[str]:
    """Yield the rows of whole calls."""
    # The feed's window must have passed over the loading of the library, or it would be read again at every search.
    time.sleep(runtime.FEED_WINDOW.total_seconds())
    yield floors.row_of_call("search, no filter", "search")
    yield floors.row_of_call("search, a text of 1 %", "search", {"search": group.library.frequent[0]})
    with group.undone():
        group.change(CHANGES, random.Random(1))
        yield floors.row_of_call("search, no filter, 100 changes in the last 12 s", "search")
        changed = next(key for _, key in group.aws.items if key.startswith("persona#"))
        yield floors.row_of_call("get of a persona", "get", {"persona_id": keys.id_of(changed)})
        yield floors.row_of_call("refresh after 100 changes", "refresh", around=group.undone)


def rows_of_snapshot(floors: Floors) -> Iterator[str]:
    """Yield the rows of the search view's snapshot."""
    pointer = services().catalogues.current(GROUP).pointer(SEARCH_VIEW)
    content = pointer and services().view_objects.read(pointer)
    if content is None:
        raise click.ClickException("there is no snapshot")
    data = bytes(content)
    with patch.object(isal_zlib, "decompress", wraps=isal_zlib.decompress) as decompress:
        index = decode(data).index
    deflated = [bytes(each.args[0]) for each in decompress.call_args_list]
    inflated = list(map(inflate, deflated))

    def load() -> None:
        decode(data)

    label = "loading the search view"
    yield floors.row(label, load, f"its {len(data) / 1e6:.1f} MB copied", lambda: bytearray(data))
    least = f"{sum(map(len, inflated)) / 1e6:.1f} MB of it inflated"
    yield floors.row("the same", load, least, lambda: list(map(inflate, deflated)))
    anew = Snapshot(index, "2026-01-01T00:00:00.000000Z")
    with patch.object(isal_zlib, "compress", wraps=isal_zlib.compress) as compress:
        encode(anew)
    plain = [bytes(each.args[0]) for each in compress.call_args_list]
    least = f"{sum(map(len, plain)) / 1e6:.1f} MB of it deflated"
    yield floors.row("storing it anew", lambda: encode(anew), least, lambda: list(map(deflate, plain)))


@click.command()
@click.option("--size", default=100_000, show_default=True, help="How many personas.")
def main(size: int) -> None:
    """Measure, and write a report in Markdown."""
    with quiet():
        group = Group(size)
        lines = [f"| {size:,} personas | CPU, ms | floor | CPU, ms | times |", "| --- " * 5 + "|"]
        floors = Floors(group)
        lines += [*rows_of_calls(group, floors), *rows_of_snapshot(floors)]
    click.echo("\n".join([*lines, "", f"Ended on {machine()}."]))


if __name__ == "__main__":
    main()
