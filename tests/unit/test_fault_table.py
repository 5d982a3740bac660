"""The table of the matrix of faults adds up what its tests have counted, each on a line of its own."""

from support.fault_table import table


def test_lines_of_an_operation_are_added_up() -> None:
    lines = [
        {"operation": "export", "tried": {"throttled": 2, "lost": 0}, "left": {"open upload": 1}, "wrong": []},
        {"operation": "get", "tried": {"throttled": 3, "lost": 0}, "left": {}, "wrong": ["something"]},
        {"operation": "export", "tried": {"throttled": 0, "lost": 4}, "left": {"open upload": 1}, "wrong": []},
    ]
    assert list(table(lines)) == [
        "| fault | get | export | all |",
        "| --- | --- | --- | --- |",
        "| throttled | 3 | 2 | 5 |",
        "| lost | – | 4 | 4 |",
        "| **cases run** | 3 | 6 | 9 |",
        "| wrong answers; lost or half-saved items | 1 | 0 | 1 |",
        "| open upload | 0 | 2 | 2 |",
    ]
