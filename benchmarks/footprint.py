"""The resources of this process and all that it has started, by /proc: CPU time, memory, open files; their growth."""

import os
import resource
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Final

FUNCTIONS: Final = "functions"
GATEWAY: Final = "gateway"
EMULATOR: Final = "emulator"
"""The runtime emulators. They are processes beside those of the functions, which they start."""
STORE: Final = "store"
GENERATOR: Final = "load generator"

GROWTH_MAX: Final = 0.05
"""Of the memory of the functions, from one half of a soak to the other."""
FILES_MAX: Final = 2
"""Open files that a process may have more than before: connections to the store are opened when two calls are made
side by side for the first time, and that may be late."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = resource.getpagesize()


@dataclass(frozen=True)
class Process:
    """A process: its id and when it started (ids come again), CPU seconds, resident bytes, open files.

    ``waited_for`` are the CPU seconds of its children that have ended.
    """

    key: tuple[int, int]
    role: str
    cpu: float
    waited_for: float
    resident: int
    files: int


@dataclass(frozen=True)
class Sum:
    """Of the processes of one role."""

    cpu: float
    resident: int
    files: int
    processes: int


@dataclass(frozen=True)
class _Read:
    parent: int
    command: str
    fields: list[str]
    files: int


def family() -> list[Process]:
    """Return this process and all below it."""
    found: dict[int, _Read] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # It may end while it is read.
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                files = len(list((entry / "fd").iterdir()))
            except OSError:
                continue
            found[int(entry.name)] = _Read(int(fields[1]), command, fields, files)
    members = {os.getpid()}
    while more := {pid for pid, each in found.items() if each.parent in members} - members:
        members |= more
    return [_process(pid, found) for pid in sorted(members)]


def _process(pid: int, found: dict[int, _Read]) -> Process:
    fields = found[pid].fields
    user, system, ended_user, ended_system = map(int, fields[11:15])
    return Process(
        key=(pid, int(fields[19])),
        role=_role(pid, found),
        cpu=(user + system) / _TICKS,
        waited_for=(ended_user + ended_system) / _TICKS,
        resident=int(fields[21]) * _PAGE,
        files=found[pid].files,
    )


def _role(pid: int, found: dict[int, _Read]) -> str:
    if pid == os.getpid():
        return GENERATOR
    command = found[pid].command
    above = found[found[pid].parent].command if found[pid].parent in found else ""
    # By the parent: the gateway's nursery forks functions, which keep its command, and one that has ended has none.
    if "personas_tools.worker" in above or "aws-lambda-rie" in above:
        return FUNCTIONS
    if "aws-lambda-rie" in command:
        return EMULATOR
    return STORE if "ministack" in command else GATEWAY


def sums(processes: Sequence[Process]) -> dict[str, Sum]:
    """Sum up by role, in the order of the report; an ended process that was waited for has been a function."""
    ended = sum(each.waited_for for each in processes if each.role in {GATEWAY, EMULATOR})
    result = {}
    for role in (FUNCTIONS, GATEWAY, EMULATOR, STORE, GENERATOR):
        own = [each for each in processes if each.role == role]
        if own:
            cpu = sum(each.cpu for each in own) + (ended if role == FUNCTIONS else 0)
            result[role] = Sum(cpu, sum(each.resident for each in own), sum(each.files for each in own), len(own))
    return result


@dataclass(frozen=True)
class Growth:
    """The growth of the processes of a role from one half to the other.

    ``memory`` is that of all together, ``worst`` that of the one that has grown most, ``files`` the most that one of
    them has more than before; of those that lived all the time, ``throughout`` of ``all_seen``. If none did,
    ``memory`` is that of the processes that there were, and ``files`` the average number of files of one.
    """

    role: str
    memory: float
    worst: float
    files: float
    throughout: int
    all_seen: int

    @property
    def flat(self) -> bool:
        """True if there is no growth.

        False also if there was no process, since nothing is known then.
        """
        return self.all_seen > 0 and self.memory <= GROWTH_MAX and self.files <= FILES_MAX

    def __str__(self) -> str:
        """Return a line of a report."""
        return (
            f"{self.role}: {self.memory:+.1%} memory (the process that grew most {self.worst:+.1%}),"
            f" at most {self.files:+.0f} files a process; {self.throughout} of {self.all_seen} processes lived"
            f" throughout: {'flat' if self.flat else 'NOT FLAT'}"
        )


def growth(samples: Sequence[Sequence[Process]], role: str) -> Growth:
    """Compare the halves of the samples after the first quarter, in which caches fill.

    Processes that are in every one of these samples are compared, each with itself: the gateway starts and ends
    functions as it needs them, and their number says nothing about the memory of one.
    """
    rest = samples[len(samples) // 4 :]
    half = len(rest) // 2
    seen = [{each.key: each for each in sample if each.role == role} for sample in rest]
    throughout = still(role, *rest)
    changes = [_change([sample[key] for sample in seen], half) for key in sorted(throughout)]
    if not changes:
        # Whoever is ended is followed by another: what they all take is what a machine has to bear.
        changes = [_change([_together(sample.values()) for sample in seen], half)]
    early, late = sum(each[0] for each in changes), sum(each[1] for each in changes)
    return Growth(
        role,
        late / early - 1 if early else 0.0,
        max((after / before - 1 for before, after, _ in changes if before), default=0.0),
        max((files for _, _, files in changes), default=0.0),
        len(throughout),
        len(set.union(*map(set, seen))),
    )


def _together(processes: Collection[Process]) -> Process:
    """Return all of them as one process: their total memory, and the average number of files of one."""
    files = round(fmean(each.files for each in processes)) if processes else 0
    return Process((0, 0), "", 0.0, 0.0, sum(each.resident for each in processes), files)


def _change(life: Sequence[Process], half: int) -> tuple[float, float, float]:
    """Return the mean memory in each half, and the number of files that it has more in the second."""
    early, late = life[:half], life[half:]
    before, after = (fmean(each.resident for each in part) for part in (early, late))
    return before, after, median(each.files for each in late) - median(each.files for each in early)


def cpu_between(before: Sequence[Process], after: Sequence[Process]) -> dict[str, float]:
    """Return the CPU seconds by role."""
    earlier = sums(before)
    return {role: total.cpu - (earlier[role].cpu if role in earlier else 0.0) for role, total in sums(after).items()}


def still(role: str, *samples: Sequence[Process]) -> set[tuple[int, int]]:
    """Return the processes of a role that are in all samples; one that has ended may be listed, without memory."""
    return set.intersection(
        *({each.key for each in sample if each.role == role and each.resident} for sample in samples)
    )
