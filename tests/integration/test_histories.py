"""Sixteen clients at once on the emulator: what they are told is what one store, asked by one after another, could say.

`make histories` runs it at full size, 100,000 operations and more; `make test` a fiftieth of that. HISTORY_SEED repeats
what the clients choose.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import pytest

from personas.store.table import Table
from personas_tools.template import Function, TableRequest
from support.broken import Deaf, Lagging, Reusing, Stale, Unconditional
from support.crowd import played
from support.emulated import emulated_aws
from support.history import check, counts
from support.warm import unguarded_world
from support.world import World

OPERATIONS: Final = int(os.environ.get("HISTORY_OPERATIONS", "2000"))
SEED: Final = int(os.environ.get("HISTORY_SEED", "6"))
CALLS_AT_ONCE: Final = 8_000
"""A history of more is made in several, each in a store of its own."""

CALLS_TO_FIND_OUT: Final = 120
TIMES_TO_FIND_OUT: Final = 6
"""So many histories of so many calls are made of a broken store at most: most faults show in the first."""
TWICE: Final = "a version was made twice"
ORDER: Final = "what ended before something began comes after it"

pytestmark = pytest.mark.emulator


type Anew = Callable[[], AbstractContextManager[World]]


@pytest.fixture
def anew(
    ministack: str, table_definitions: Mapping[str, TableRequest], deployed_functions: Mapping[str, Function]
) -> Anew:
    """Provide empty groups on the emulator, each with tables of its own."""

    @contextmanager
    def made() -> Iterator[World]:
        with emulated_aws(ministack, table_definitions, deployed_functions) as aws:
            yield unguarded_world(aws)

    return made


def test_what_the_clients_are_told_is_linearizable(anew: Anew, capsys: pytest.CaptureFixture[str]) -> None:
    done, seed = 0, SEED
    while done < OPERATIONS:
        with anew() as world:
            history = played(world, seed, min(CALLS_AT_ONCE, OPERATIONS - done))
        done += history.operations
        with capsys.disabled():
            told = f"{history.calls} calls, {history.operations} operations, {counts(history.events)}"
            sys.stdout.write(f"\nseed {seed}: {told}")
        assert history.unexplained == []
        assert check(history.events) == []
        seed += 1


@pytest.mark.parametrize(
    ("store", "rule"),
    [
        pytest.param(Unconditional, TWICE, id="dropped-condition"),
        pytest.param(Reusing, TWICE, id="reused-version"),
        pytest.param(Stale, ORDER, id="stale-read"),
        pytest.param(Lagging, ORDER, id="stale-feed"),
        pytest.param(Deaf, ORDER, id="wrong-clocks"),
    ],
)
def test_a_broken_store_is_found_out(anew: Anew, store: type[Table], rule: str) -> None:
    rules: set[str] = set()
    for seed in range(SEED, SEED + TIMES_TO_FIND_OUT):
        with anew() as world:
            history = played(world, seed, CALLS_TO_FIND_OUT, 4, store)
        rules |= {each.rule for each in check(history.events)}
        if rule in rules:
            break
    assert rule in rules
