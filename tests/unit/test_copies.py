"""Tests of the names of copies."""

import pytest

from personas.domain.copies import copy_name


@pytest.mark.parametrize(
    ("name", "number", "copy"),
    [
        ("Ada", 1, "Ada Copy"),
        ("Ada", 2, "Ada Copy 2"),
        ("Ada", 10, "Ada Copy 10"),
        ("Ada Copy", 1, "Ada Copy Copy"),
        ("Ada Copy 2", 3, "Ada Copy 2 Copy 3"),
        ("x" * 195, 1, "x" * 195 + " Copy"),
        ("x" * 196, 1, "x" * 195 + " Copy"),
        ("x" * 200, 1, "x" * 195 + " Copy"),
        ("x" * 200, 2, "x" * 193 + " Copy 2"),
        ("x" * 200, 1_000_000, "x" * 187 + " Copy 1000000"),
        ("\N{GRINNING FACE}" * 200, 1, "\N{GRINNING FACE}" * 195 + " Copy"),
        ("x" * 193 + " yz" + "w" * 4, 1, "x" * 193 + " y Copy"),
        ("x" * 194 + " y" + "w" * 4, 1, "x" * 194 + " Copy"),
    ],
)
def test_copy_name(name: str, number: int, copy: str) -> None:
    assert copy_name(name, number) == copy
    assert len(copy) <= 200
