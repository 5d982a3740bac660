"""A counter of the sequential rounds to AWS that a call takes, without a clock.

A *round* is one request to AWS and the wait for its answer. Rounds that overlap count once, so the count is the
length of the longest chain of requests that had to wait for each other. If every request took the same time t, a call
that takes n rounds would last n × t.

The code under test does all its parallel work through ``Parallel.run`` and everything else one after another.
``CountingParallel`` takes its place and runs the calls of a block one after another, in this thread, so that
every request belongs to one known call: its *cost* is the number of requests that it makes. The duration of the
block follows from the costs as ``ThreadPoolExecutor`` works: the calls wait in one queue, in order, and
each goes to the thread that is free first. The block lasts as long as the thread that ends last:

* two calls of 1 and 2 requests on 32 threads last 2 rounds;
* 100 calls of 1 request on 32 threads last 4 (32 + 32 + 32 + 4);
* a block adds its duration, and requests outside of a block add one each, because they wait for each other.

A block inside of a block would make threads wait for each other's threads: that is an error, and is raised as one.

Requests are counted where botocore sends them (the event ``before-send``), so a retry counts as the round that it is,
and pages and parts of batches count one each.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from personas.runtime import THREADS
from support.in_order import InOrder


class Watched(Protocol):
    """A botocore client."""

    @property
    def meta(self) -> "_Meta":
        """The data that botocore keeps about the client."""


class _Meta(Protocol):
    @property
    def events(self) -> "_Events":
        """Its hooks."""


class _Events(Protocol):
    def register(self, event_name: str, handler: Callable[..., None]) -> None:
        """Call the handler at that event."""


@dataclass
class Rounds:
    """The rounds of what is going on. ``requests`` names every request, in order, whether it waited or not."""

    taken: int = 0
    requests: list[str] = field(default_factory=list)
    in_block: bool = False

    def watch(self, *clients: Watched) -> None:
        """Count the requests of these clients."""
        for client in clients:
            client.meta.events.register("before-send", self._sent)

    @contextmanager
    def counting(self) -> Iterator["Rounds"]:
        """Start from nothing; afterwards ``taken`` says what was taken within."""
        self.taken = 0
        self.requests.clear()
        yield self

    @contextmanager
    def noting(self, costs: list[int]) -> Iterator[None]:
        """Add the rounds of a call of a block to ``costs``, and not to those that were taken; also if it fails."""
        before = self.taken
        try:
            yield
        finally:
            costs.append(self.taken - before)
            self.taken = before

    def _sent(self, event_name: str, **_: object) -> None:
        self.taken += 1
        self.requests.append(event_name.rpartition(".")[2])


class CountingParallel(InOrder):
    """A replacement of threads: it runs calls one after another and counts as if on ``threads`` threads."""

    def __init__(self, rounds: Rounds, threads: int = THREADS) -> None:
        super().__init__(threads)
        self._rounds = rounds

    def run[T](self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Return the results of ``calls``, in their order; the first error is raised once all have ended."""
        rounds = self._rounds
        if rounds.in_block:
            raise AssertionError("a call that runs beside others must not run others in parallel itself")
        costs: list[int] = []
        rounds.in_block = True
        try:
            return super().run([rounds.noting(costs)(call) for call in calls])
        finally:
            rounds.in_block = False
            rounds.taken += makespan(costs, self.threads)


def makespan(costs: Sequence[int], threads: int) -> int:
    """Return the duration of calls of these costs that wait in one queue for that many threads."""
    free_at = [0] * threads
    for cost in costs:
        heapq.heapreplace(free_at, free_at[0] + cost)
    return max(free_at)
