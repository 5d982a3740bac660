"""The CPU time of a warm call by its parts, by samples: get, search and draft, each by its function's own handler.

    .venv/bin/python benchmarks/sampled.py              # a minute

The handlers run in this process against the local store, over HTTP. The kernel signals whenever the process has taken a
few milliseconds of CPU time (a tick of its clock; waiting takes none), and the stack is sampled: it counts for the
innermost frame of a package that has a row here, so the time of the standard library and of C counts for their caller.
cProfile would add to every call of a Python function, and so show small ones as larger than they are; a thread that
samples runs mostly at moments at which a call begins to wait, and shows these as larger.
"""

import gc
import os
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean
from types import FrameType
from typing import Any, Final, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import click
from built_functions import read
from load import MIX, Author, Told, fill
from silence import quiet

from personas.services import services
from personas_tools.demo import load_if_empty
from personas_tools.payload import to_response
from personas_tools.stack import connected
from support.client import Context, Handler, event, load_handler
from support.in_order import InOrder
from support.server import demo_key

OPERATIONS: Final = ("get", "search", "draft")
WARM_SECONDS: Final = 3.0
EVERY: Final = 0.001
"""Seconds of CPU time. The kernel makes a tick of it, 4 ms where it has 250 a second."""
LEAST: Final = 0.01
"""Of the CPU time of any operation: our own modules below that share one row."""
PACKAGES: Final[Mapping[str, str]] = {
    "botocore": "botocore",
    "jmespath": "botocore",
    "urllib3": "urllib3 and http.client",
    "http": "urllib3 and http.client",
    "pydantic": "pydantic",
    "aws_lambda_powertools": "Powertools",
}
GZIP: Final = "gzip (personas.negotiation)"
OTHER: Final = "other"


class InProcess:
    """A client of the handlers in this process."""

    def __init__(self, handlers: dict[str, Handler], key: str) -> None:
        self._handlers = handlers
        self._headers = {"X-Api-Key": key}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, operation: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return the status and body of an answer; ``_`` in a header's name stands for a hyphen."""
        if operation not in self._handlers:
            self._handlers[operation] = load_handler(operation)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        made = event(operation, body or {}, self._headers | more)
        return read(to_response(invoked(self._handlers[operation], made, Context(operation))))


def invoked(handler: Handler, made: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the handler's answer.

    Frames below this one are the function's, frames beside it the client's.
    """
    return handler(made, context)


class Sampler:
    """A counter of samples by row of the table while it is entered; those of the client itself under None."""

    def __init__(self) -> None:
        self.rows = Counter[str | None]()
        self.cpu = 0.0

    def __enter__(self) -> Self:
        self.cpu = -time.process_time()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.cpu += time.process_time()

    @property
    def samples(self) -> int:
        """Those that are not the client's."""
        return self.rows.total() - self.rows[None]

    @property
    def seconds(self) -> float:
        """The CPU time that is not the client's."""
        return self.cpu * self.samples / self.rows.total()

    def _sample(self, _: int, frame: FrameType | None) -> None:
        self.rows[row_of(frame)] += 1


def row_of(frame: FrameType | None) -> str | None:
    """Return the row for which a stack counts; None for a stack of the client's."""
    found: str | None = None
    while frame is not None:
        if frame.f_code is invoked.__code__:
            return found or OTHER
        found = found or _row(str(frame.f_globals.get("__name__", "")))
        frame = frame.f_back
    return None


def _row(module: str) -> str | None:
    if module == "personas.negotiation":
        return GZIP
    if module.startswith(("personas.", "handler_")):
        return module
    return PACKAGES.get(module.partition(".")[0])


def table(samplers: Mapping[str, Sampler], tolds: Mapping[str, Told]) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"| share of the CPU time | {' | '.join(samplers)} |"
    yield f"| --- |{' --- |' * len(samplers)}"
    shares: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for operation, sampler in samplers.items():
        for row, samples in sampler.rows.items():
            if row is not None:
                shares[row][operation] = samples / sampler.samples
    for row in [row for row, of in shares.items() if row.startswith(("personas.", "handler_"))]:
        if max(shares[row].values()) < LEAST:
            for operation, share in shares.pop(row).items():
                shares["our own modules below 1 % each"][operation] += share
    for row, of in sorted(shares.items(), key=lambda entry: -sum(entry[1].values())):
        yield f"| {row} | {' | '.join(f'{of[each]:.1%}' for each in samplers)} |"
    own = [
        sum(of[each] for row, of in shares.items() if row.startswith(("personas.", "handler_", "our own")))
        for each in samplers
    ]
    yield f"| *all of our own* | {' | '.join(f'{each:.1%}' for each in own)} |"
    calls = {each: len(tolds[each].seconds[each]) for each in samplers}
    cpu = [samplers[each].seconds * 1000 / calls[each] for each in samplers]
    yield f"| **CPU ms a call** | {' | '.join(f'{each:.2f}' for each in cpu)} |"
    wall = [fmean(tolds[each].seconds[each]) * 1000 for each in samplers]
    yield f"| **time of a call, ms, the store's included** | {' | '.join(f'{each:.1f}' for each in wall)} |"
    yield f"| calls; samples | {' | '.join(f'{calls[each]}; {samplers[each].samples}' for each in samplers)} |"
    yield f"| failures | {' | '.join(tolds[each].failed() for each in samplers)} |"


@contextmanager
def demo_in_process() -> Iterator[str]:
    """Have the handlers answer in this process, on the demo in a store of its own: yield a superadmin's key."""
    gc.set_threshold(100_000)  # as `personas` does it in the process of a function
    with tempfile.TemporaryDirectory() as name, connected(Path(name)) as stack, quiet():
        load_if_empty(stack)
        named = {f"{each.environment['AWS_LAMBDA_FUNCTION_NAME']}": each.environment for each in stack.functions}
        for route, function in stack.routes.items():
            if route.path.rpartition("/")[2] in MIX:
                os.environ.update(named[function])
        # Python has the main thread alone see to signals, and until that gets in, a short call in another has ended.
        # The time of handing over to threads is missing from the figures.
        services().parallel = InOrder()
        yield demo_key(Path(name), "superadmin")


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each operation is sampled.")
def main(seconds: float) -> None:
    """Start a store in a folder of its own, call the handlers, and print the table."""
    samplers: dict[str, Sampler] = {}
    tolds: dict[str, Told] = {}
    with demo_in_process() as key:
        connect = partial(InProcess, {}, key)
        library = fill(connect)
        for number, operation in enumerate(OPERATIONS):
            author = Author(number, connect, library, {operation: 1})
            author.work(time.monotonic() + WARM_SECONDS, Told())
            tolds[operation] = Told()
            with Sampler() as samplers[operation]:
                author.work(time.monotonic() + seconds, tolds[operation])
    print("\n".join(table(samplers, tolds)))
    print(f"\nPython {sys.version.partition(' ')[0]}, load average {Path('/proc/loadavg').read_text()}")


if __name__ == "__main__":
    main()
