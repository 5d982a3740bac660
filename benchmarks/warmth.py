"""A simulation of how often a search finds its group's view in memory, by groups and searches a second.

    .venv/bin/python benchmarks/warmth.py

Lambda gives a request to an idle environment, here the one that was used last, or starts one; an environment idle for
ten minutes ends. Each holds the views that it searched last, up to half of its memory. Groups are of 1,000 personas and
are searched unequally: the k-th most popular one is asked for in proportion to 1 / k**0.8. Searches arrive by chance,
at the rate of a busy hour. The time of a search, with the view found or loaded, and the size of a view are the figures
of benchmarks/README.md; a round to S3 is taken as 30 ms, one to DynamoDB as 5 ms.
"""

import random
from bisect import bisect
from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import accumulate

VIEW_MB = 2.5
MEMORY_MB = 1769 / 2
FOUND_SECONDS = 0.005 + 0.005
LOADED_SECONDS = FOUND_SECONDS + 0.030 + 0.009
IDLE_SECONDS = 600
SEARCHES = 200_000
SKEW = 0.8


@dataclass
class Environment:
    """An execution environment: its views, the last used at the end, and since when it is idle."""

    views: OrderedDict[int, None] = field(default_factory=OrderedDict)
    idle_since: float = 0.0

    def search(self, group: int) -> bool:
        """Return True if the group's view was there; afterwards it is."""
        found = group in self.views
        self.views[group] = None
        self.views.move_to_end(group)
        if len(self.views) * VIEW_MB > MEMORY_MB:
            self.views.popitem(last=False)
        return found


def simulate(groups: int, rate: float) -> tuple[float, int]:
    """Return the share of searches that found their view, of the second half, and the most environments at a time."""
    chance = random.Random(7)
    weights = list(accumulate((rank + 1) ** -SKEW for rank in range(groups)))
    idle: list[Environment] = []
    busy: list[tuple[float, int, Environment]] = []
    now, found, most = 0.0, 0, 0
    for number in range(SEARCHES):
        now += chance.expovariate(rate)
        while busy and busy[0][0] <= now:
            ended, _, environment = heappop(busy)
            environment.idle_since = ended
            idle.append(environment)
        while idle and idle[0].idle_since < now - IDLE_SECONDS:
            idle.pop(0)
        environment = idle.pop() if idle else Environment()
        was_there = environment.search(bisect(weights, chance.random() * weights[-1]))
        found += was_there and number >= SEARCHES // 2
        heappush(busy, (now + (FOUND_SECONDS if was_there else LOADED_SECONDS), number, environment))
        most = max(most, len(busy) + len(idle))
    return found / (SEARCHES - SEARCHES // 2), most


def main() -> None:
    """Print the table."""
    print("| groups | searches a second | view found in memory | environments |")
    print("| --- | --- | --- | --- |")
    for groups in (100, 1_000, 10_000, 100_000, 1_000_000):
        for rate in (1, 10, 100, 1_000, 10_000):
            found, most = simulate(groups, rate)
            print(f"| {groups:,} | {rate:,} | {found:.0%} | {most} |")


if __name__ == "__main__":
    main()
