"""Tests that docstrings are statements: none of them, and none of their sentences, begins as a question does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("layers/shared/personas", "functions", "tools", "tests", "benchmarks")

FIRST_WORD: Final = re.compile(r"(What|Which|Whether|Where|When|Who|Whom|Whose|How|Why)\b")
QUESTION: Final = re.compile(
    r"(?:^|[.:;!?]\s+|\n\s*\n\s*|\n\s*[*-] )((?:What|Which|Whether|Who|Whom|Whose|How|Why)\b[^.\n]*)"
)
"""A sentence that begins with a question word, at the beginning of the text, of a paragraph or behind a sentence."""


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts that stand alone as statements, with their lines: docstrings, and those of attributes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text.strip()


def questions(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module that begin as a question, and such sentences in them, with their lines."""
    for line, text in docstrings(path):
        for found in [FIRST_WORD.match(text), *QUESTION.finditer(text)]:
            if found is not None:
                yield f"{path.name}:{line}: {found[0].strip()}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_asks(folder: str) -> None:
    assert [each for path in sorted((ROOT / folder).rglob("*.py")) for each in questions(path)] == []


@pytest.mark.parametrize(
    "text",
    ["What it is.", "The thing. How it is done.", "One line.\n\n    Who does it.", "When it was made.", "Why: so."],
)
def test_a_question_is_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(f'"""{text}"""\n', encoding="utf-8")
    assert list(questions(path))


@pytest.mark.parametrize(
    "text", ["Return what it is.", "The time at which it was made. When that is over, none.", "Whatever is sent."]
)
def test_a_statement_is_not(text: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(f'"""{text}"""\n', encoding="utf-8")
    assert list(questions(path)) == []
