"""Mutation testing of the layer: the modules that are named, or what has changed since a commit.

PYTHONPATH=tests .venv/bin/python -m support.mutants domain/permissions.py store
PYTHONPATH=tests .venv/bin/python -m support.mutants --changed main

It prints the mutants that survive and a row for each module, and fails if one survives that nobody has named as
equivalent. The reach of each file of tests is recorded once, in .local/mutants.
"""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Final

from support.mutation import Mutant
from support.reach import LAYER, ROOT, Reach, record, recorded
from support.trials import SURVIVED, TIMEOUT, Module, Trial, failing, read_module, run

PRELOADED: Final = (
    "anyio",
    "aws_lambda_powertools.event_handler",
    "boto3.s3.inject",
    "httpx2",
    "hypothesis.stateful",
    "moto.awslambda.models",
    "moto.dynamodb.urls",
    "moto.s3.urls",
    "moto.sqs.urls",
    "requests",
    "rich.table",
    "yaml",
    "personas.contract.registry",
)
"""Modules to import before any process is forked, which would spend a second of the processor on them itself. None of
them imports what is changed."""
WORK: Final = ROOT / ".local" / "mutants"
RESULTS: Final = WORK / "results.jsonl"
EQUIVALENT: Final = ROOT / "tests" / "equivalent_mutants.toml"
"""A table for each module: the mutants that no test can tell from the original, by name, and why."""
FILES: Final = 2
"""The number of files of tests that are collected anew for what runs at import."""
FILES_AGAIN: Final = 8
SCOPE: Final = ("domain", "store", "search", "views", "operations", "identity.py")
SUITES: Final = tuple(
    f"tests/{each}" for each in ("unit", "property", "contract", "integration", "perf", "abuse", "client")
)


def main() -> None:
    """Try the mutants that the arguments choose."""
    chosen = _arguments()
    for name in PRELOADED:
        import_module(name)
    files = [path for name in chosen.tests for path in _files(ROOT / name, "test_*.py")]
    record(WORK / "reach", files, chosen.workers)
    equivalent = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    modules = [read_module(path) for name in chosen.modules for path in _files(LAYER / name, "*.py")]
    reaches = recorded(WORK / "reach", files)
    trials = list(_trials(modules, chosen, equivalent, reaches))
    run(trials, RESULTS)

    outcomes = _outcomes()
    killers = {outcomes[trial.module.path, trial.mutant.name] for trial in trials}
    wrong = [f"{test} fails without a mutant" for test in failing([each for each in reaches if each.test in killers])]
    rows = []
    for module in modules:
        named = equivalent.get(module.path, {})
        found = {each.name: outcomes.get((module.path, each.name)) for each in module.mutants}
        wrong += [f"{module.path}: named as equivalent, and not there: {name}" for name in named if name not in found]
        wrong += [
            f"{module.path}:{each.line}: {each.name}"
            for each in module.mutants
            if found[each.name] == SURVIVED and each.name not in named
        ]
        rows.append(_row(module.path, [found[name] for name in found if name not in named], len(named)))
    sys.stdout.writelines(f"{line}\n" for line in [*wrong, *_HEAD, *rows])
    sys.exit(1 if wrong else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=SCOPE, help="paths within layers/shared/personas")
    parser.add_argument("--changed", metavar="COMMIT", help="only the lines that differ from that commit")
    parser.add_argument("--again", action="store_true", help="only what no test has noticed before, by more tests")
    parser.add_argument("--sample", type=int, metavar="NUMBER", help="so many of each module, by chance")
    parser.add_argument("--seed", type=int, default=0, help="another sample")
    parser.add_argument("--seconds", type=float, default=20, help="of tests for a mutant, twice")
    parser.add_argument("--tests", nargs="+", default=SUITES, help="the tests to try: files, folders")
    parser.add_argument("--workers", type=int, default=1, help="processes that record what tests reach")
    return parser.parse_args()


def _files(place: Path, pattern: str) -> list[Path]:
    return sorted(place.rglob(pattern)) if place.is_dir() else [place]


def _trials(
    modules: Sequence[Module],
    chosen: argparse.Namespace,
    equivalent: Mapping[str, Mapping[str, str]],
    reaches: Sequence[Reach],
) -> Iterator[Trial]:
    # Beside other work a mutant may have run out of time that ends: no test has failed.
    noticed = {each for each, outcome in _outcomes().items() if outcome not in {SURVIVED, TIMEOUT}}
    called: defaultdict[str, set[str]] = defaultdict(set)
    for each in reaches:
        called[each.file] |= each.functions
    for module in modules:
        nearest = _nearest(module, called)[-(FILES_AGAIN if chosen.again else FILES) :]
        lines = _changed_lines(module, chosen.changed) if chosen.changed else None
        named = equivalent.get(module.path, {})
        mutants = [each for each in module.mutants if lines is None or each.line in lines]
        for mutant in sample(mutants, chosen.sample, chosen.seed) if chosen.sample else mutants:
            if mutant.name not in named and not (chosen.again and (module.path, mutant.name) in noticed):
                yield _trial(module, mutant, reaches, nearest, chosen.seconds)


def sample(mutants: Sequence[Mutant], number: int, seed: int) -> list[Mutant]:
    """Return so many of the mutants, in their order: the same for anyone, and nearly the same after a change."""
    drawn = sorted(mutants, key=lambda each: sha256(f"{seed}/{each.name}".encode()).digest())[:number]
    return sorted(drawn, key=lambda each: each.line)


def _changed_lines(module: Module, commit: str) -> set[int]:
    """Return the lines of a module that differ from a commit."""
    command = ["git", "diff", "--unified=0", commit, "--", str(module.file)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    hunks = re.findall(r"^@@ .* \+(\d+)(?:,(\d+))? @@", told, re.MULTILINE)
    return {line for first, count in hunks for line in range(int(first), int(first) + int(count or 1))}


def _trial(
    module: Module, mutant: Mutant, reaches: Sequence[Reach], nearest: Collection[str], seconds_max: float
) -> Trial:
    """Return a mutant with the fastest of the tests that reach it, and of those in the file of its module's name.

    Code that runs at import, functions that run then alone included, is reached by the tests of the ``nearest`` files.
    """
    reaching = [each for each in reaches if mutant.place and f"{module.path}:{mutant.place}" in each.functions]
    reaching = _varied(reaching or [each for each in reaches if each.file in nearest])
    own = [each for each in reaching if Path(each.file).stem == f"test_{module.file.stem}"]
    tests = dict.fromkeys([*_within(reaching, seconds_max), *_within(own, seconds_max)])
    return Trial(module, mutant, _by_file(tests), len(reaching))


def _by_file(tests: Iterable[Reach]) -> list[Reach]:
    """Return the tests of each file together, so that its fixtures are made once; the file of the first test first."""
    files: defaultdict[str, list[Reach]] = defaultdict(list)
    for each in tests:
        files[each.file].append(each)
    return [each for those in files.values() for each in those]


def _varied(tests: Sequence[Reach]) -> list[Reach]:
    """Return the tests in another order: one case of each, then the next ones."""
    cases: Counter[str] = Counter()
    turns = []
    for each in tests:
        name = each.test.partition("[")[0]
        turns.append(cases[name])
        cases[name] += 1
    return [each for _, each in sorted(zip(turns, tests, strict=True), key=itemgetter(0))]


def _within(tests: Sequence[Reach], seconds_max: float) -> Sequence[Reach]:
    """Return the first of the tests that together take no longer, at least one of them."""
    seconds = list(accumulate(each.seconds for each in tests))
    return tests[: max(1, bisect_right(seconds, seconds_max))]


def _nearest(module: Module, called: Mapping[str, Collection[str]]) -> list[str]:
    """Return the files of tests, last those that should notice a change of what runs at import, by what they call."""
    ranks = {
        file: (
            module.name in (ROOT / file).read_text(encoding="utf-8"),
            sum(function.startswith(f"{module.path}:") for function in functions),
        )
        for file, functions in called.items()
    }
    return sorted(ranks, key=ranks.__getitem__)


def _outcomes() -> dict[tuple[str, str], str]:
    """Return the last outcome of each mutant that was ever tried, by its module and name."""
    if not RESULTS.exists():
        return {}
    lines = map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines())
    return {(line["module"], line["mutant"]): line["outcome"] for line in lines}


_HEAD: Final = (
    "| module | mutants | not tried | equivalent | killed | of these by time | survived | score |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def _row(module: str, outcomes: Sequence[str | None], equivalent: int) -> str:
    tried = [outcome for outcome in outcomes if outcome is not None]
    survived = tried.count(SURVIVED)
    score = f"{100 * (len(tried) - survived) / len(tried):.1f} %" if tried else "–"
    counts = [len(outcomes) + equivalent, len(outcomes) - len(tried), equivalent, len(tried) - survived]
    return f"| {' | '.join(map(str, [module, *counts, tried.count(TIMEOUT), survived, score]))} |"


if __name__ == "__main__":
    main()
