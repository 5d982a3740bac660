"""The mutants of small modules, and the names of those that are known to be equivalent."""

import ast
import tomllib

import pytest

from support.mutants import EQUIVALENT
from support.mutation import mutants_of
from support.reach import LAYER
from support.trials import read_module


def changes(source: str) -> list[str]:
    return [mutant.name for mutant in mutants_of(ast.parse(source))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["`a < b` to `a <= b`"]),
        ("x = a and b", ["`a and b` to `a or b`", "`a and b` to `b`", "`a and b` to `a`"]),
        ("x = not a", ["`not a` to `a`"]),
        ("x = a + 1", ["`a + 1` to `a - 1`", "`1` to `2`"]),
        ("x = a if b else c", ["`a if b else c` to `a`", "`a if b else c` to `c`"]),
        ("x = True", ["`True` to `False`"]),
        ("x = f'a{b!r}'", ["`'a'` to `'XXa'`", "`{b!r}` to nothing", "`{b!r}` to `{b}`"]),
        ("x = [a, b]", ["`a` to nothing", "`b` to nothing"]),
        ("x = {a: b}", ["`{a: b}` to `{}`"]),
        ("x = f(a, b=c)", ["`a` to `None`", "`b=c` to nothing"]),
        ("x = min(a)", ["`min(a)` to `max(a)`", "`a` to `None`"]),
        ("x = a.lower()", ["`a.lower()` to `a.upper()`"]),
        ("x = a[b:c]", ["`b:c` to `:c`", "`b:c` to `b:`"]),
        ("f()", ["`f()` to `pass`"]),
        ("a.b = c", ["`a.b = c` to `pass`"]),
        ("a += b", ["`a += b` to `pass`", "`a += b` to `a -= b`"]),
        ("if a: raise b", ["`a` to `False`", "`a` to `True`", "`raise b` to `pass`"]),
        ("for a in b: continue", ["`for a in b: continue` to `for a in (): continue`", "`continue` to `break`"]),
        ("x = [a for a in b if c]", ["`c` to `False`", "`c` to `True`"]),
    ],
)
def test_a_change_is_one_that_a_slip_would_make(source: str, expected: list[str]) -> None:
    assert changes(source) == [f"import: {each}" for each in expected]


@pytest.mark.parametrize(
    "source",
    [
        '"""Words."""',
        "import a",
        "type A = dict[str, int]",
        "a: tuple[int, str]",
        "@a(b=1)\nclass C(D[1], e=2):\n    pass",
        "if TYPE_CHECKING:\n    x = 1",
        "A = TypedDict('A', {'b': int})",
        "x = cast('A', b)",
        "class C(Protocol):\n    def f(self, a=1) -> str: ...",
    ],
)
def test_what_is_there_for_the_reader_or_the_type_checker_is_left_alone(source: str) -> None:
    assert changes(source) == []


def test_a_text_that_only_a_log_shows_is_left_alone() -> None:
    assert changes("raise ValueError('a')") == ["import: `raise ValueError('a')` to `pass`"]
    assert "import: `'a'` to `'XXa'`" in changes("raise Forbidden('a')")


def test_a_change_is_placed_in_the_outermost_function_whose_body_it_is_in() -> None:
    source = "class C:\n    a = 1\n    def f(self, b=2):\n        def g():\n            h(8)\n"

    found = {mutant.place for mutant in mutants_of(ast.parse(source)) if "`8`" in mutant.name}

    assert found == {"C.f"}
    assert [name for name in changes(source) if name.startswith("import")] == [
        "import C: `1` to `2`",
        "import C.f: `2` to `3`",
    ]


def test_changes_alike_are_told_apart() -> None:
    assert changes("x = 1 + 1")[1:] == ["import: `1` to `2`", "import: `1` to `2`, 2"]


def test_a_mutant_is_applied_to_its_tree() -> None:
    tree = ast.parse("x = [a, b]")

    mutants_of(tree)[0].apply()

    assert ast.unparse(tree) == "x = [b]"


@pytest.mark.parametrize("step", range(0, 150, 15))
def test_a_mutant_of_a_module_compiles(step: int) -> None:
    module = read_module(LAYER / "store/keys.py")

    code = module.changed_code(module.mutants[step])

    assert code != compile(module.file.read_bytes(), str(module.file), "exec", dont_inherit=True)


def test_each_mutant_that_is_named_as_equivalent_is_there() -> None:
    named = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))

    there = {path: {mutant.name for mutant in read_module(LAYER / path).mutants} for path in named}

    assert {path: set(names) - there[path] for path, names in named.items()} == {path: set() for path in named}
