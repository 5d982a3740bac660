"""Times of what is done again and again, memory, and the machine that it was measured on."""

import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median


@dataclass
class Times:
    """Wall and CPU seconds of the same thing, done again and again."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self, cpu: Callable[[], float] = time.process_time) -> Iterator[None]:
        """Add the time that the block takes."""
        cpu_before, before = cpu(), time.perf_counter()
        yield
        self.wall.append(time.perf_counter() - before)
        self.cpu.append(cpu() - cpu_before)

    def add(self, others: "Times") -> None:
        """Take in what others measured."""
        self.wall += others.wall
        self.cpu += others.cpu

    def __str__(self) -> str:
        """Return median and p99 of the wall time, and the mean of the CPU time (which is read in ticks): all in ms."""
        return f"{ms(median(self.wall))} / {ms(p99(self.wall))} / {ms(fmean(self.cpu))}"


def p99(values: Sequence[float]) -> float:
    """Return the value that one in a hundred is above."""
    return sorted(values)[min(len(values) - 1, int(0.99 * len(values)))]


def ms(seconds: float) -> str:
    """Return seconds as milliseconds, to three digits."""
    milliseconds = seconds * 1e3
    return f"{milliseconds:.{max(0, 2 - int(math.log10(max(milliseconds, 1))))}f}"


def memory(kind: str) -> int:
    """Return the bytes that this process has in memory now (VmRSS), or had at most (VmHWM)."""
    found = re.search(rf"^{kind}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def machine() -> str:
    """Return a description of the machine on which this is measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load average {load}"
    )


def probe(kind: str, file: Path, size: int) -> dict[str, float]:
    """Measure a file in a new process of the program that runs, whose option ``--probe`` prints the figures."""
    command = [sys.executable, sys.argv[0], "--probe", kind, str(file), "--sizes", str(size)]
    figures: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return figures
