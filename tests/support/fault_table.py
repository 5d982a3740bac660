"""The table of `docs/reliability.md`, made from the results of `make faults`, a line for each test.

PYTHONPATH=tests .venv/bin/python -m support.fault_table .local/logs/faults.jsonl
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final


def table(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the rows of the table in Markdown: cases by fault and operation, then their results."""
    operations: dict[str, None] = {}
    faults: dict[str, None] = {}
    tried: Counter[tuple[str, str]] = Counter()
    left: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for line in lines:
        operation = line["operation"]
        operations[operation] = None
        for fault, count in line["tried"].items():
            faults[fault] = None
            tried[fault, operation] += count
        for what, count in line["left"].items():
            left[what, operation] += count
        wrong[_WRONG, operation] += len(line["wrong"])

    columns = sorted(operations, key=_ORDER.index)

    def row(name: str, counts: Mapping[tuple[str, str], int], absent: str) -> str:
        cells = [counts.get((name, each), 0) for each in columns]
        return _row(name, *(str(cell) if cell else absent for cell in [*cells, sum(cells)]))

    yield _row("fault", *columns, "all")
    yield _row(*["---"] * (len(columns) + 2))
    for fault in faults:
        yield row(fault, tried, "–")
    for operation in columns:
        tried["**cases run**", operation] = sum(tried[fault, operation] for fault in faults)
    yield row("**cases run**", tried, "0")
    yield row(_WRONG, wrong, "0")
    for what in sorted({what for what, _ in left}):
        yield row(what, left, "0")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


_WRONG: Final = "wrong answers; lost or half-saved items"
_ORDER: Final = [
    *("get", "search", "drafts", "docs", "history", "compare"),
    *("create", "update", "delete", "duplicate", "restore", "draft", "export", "download"),
    *("refresh", "queue", "schedule", "profile"),
]


def main() -> None:
    """Print the table of the file that is named."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    sys.stdout.writelines(f"{row}\n" for row in table(json.loads(line) for line in text.splitlines()))


if __name__ == "__main__":
    main()
