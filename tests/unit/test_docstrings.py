"""Tests that docstrings, comments and documents are statements: no sentence of them begins as a question does."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support.readme import DOCUMENTS, FENCE, ROOT

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


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments of a module, line by line, with their lines; headings, which name a part, are left out."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT and not token.string.startswith("# ----"):
                yield token.start[0], token.string.lstrip("# ")


def questions(path: Path) -> Iterator[str]:
    """Yield the docstrings that begin as a question, and such sentences in docstrings and comments, by line."""
    for line, text in docstrings(path):
        if FIRST_WORD.match(text):
            yield f"{path.name}:{line}: {text}"
    for line, text in (*docstrings(path), *comments(path)):
        yield from (f"{path.name}:{line}: {found[1]}" for found in QUESTION.finditer(text))


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_asks(folder: str) -> None:
    assert [each for path in sorted((ROOT / folder).rglob("*.py")) for each in questions(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_asks(document: Path) -> None:
    prose = FENCE.sub("", document.read_text(encoding="utf-8"))
    paragraphs = re.sub(r"^(#+ (\d+\. )?|\*\*)", "", prose, flags=re.MULTILINE)
    assert [found[1] for found in QUESTION.finditer(paragraphs)] == []


QUESTIONS: Final = (
    "What it is.",
    "The thing. How it is done.",
    "One line.\n\n    Who does it.",
    "When it was made.",
    "Why: so.",
)


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_question_is_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(f'"""{text}"""\n', encoding="utf-8")
    assert list(questions(path))


def test_a_comment_that_asks_is_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(f"x = 1  # {QUESTIONS[0]}\n# {QUESTIONS[1]}\n# The rest.\n", encoding="utf-8")
    assert len(list(questions(path))) == 2


@pytest.mark.parametrize(
    "text", ["Return what it is.", "The time at which it was made. When that is over, none.", "Whatever is sent."]
)
def test_a_statement_is_not(text: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(f'"""{text}"""\n', encoding="utf-8")
    assert list(questions(path)) == []
