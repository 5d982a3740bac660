"""The documents tell the truth: the README's session runs word for word, and what documents name exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from personas_tools import template
from support.commands import every_command
from support.described import described
from support.readme import DOCUMENTS, FENCE, README, ROOT, checkout_in, run_session, session_of
from support.server import serving
from support.tap import tapping

OPERATIONS: Final = ("get", "draft", "create", "duplicate", "update", "delete")
"""The operations that the session shows."""

NEVER_RAISED: Final = {"forbidden", "conflict"}
"""Codes of classes that are always raised with a code of their own."""

EXAMPLE: Final = re.compile(r"/(archive|OP)\b")
"""In the name of a module: the operation of CONTRIBUTING's example, and any operation."""

_SPAN: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def code_in(text: str) -> Iterator[str]:
    """Yield the lines of a document's code: fenced blocks but diagrams, and the code spans of other lines."""
    for _, language, content in FENCE.findall(text):
        if language != "mermaid":
            yield from content.splitlines()
    for line in FENCE.sub("", text).splitlines():
        yield " | ".join(_SPAN.findall(line))


@pytest.mark.emulator
def test_the_session_prints_what_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a server on an empty store,
    steps = session_of(README.read_text(encoding="utf-8"))
    for operation in OPERATIONS:
        assert any(f'"$API/{operation}"' in step.commands for step in steps)
    with serving(tmp_path / "local") as (_, port), tapping(port) as tap:
        monkeypatch.setenv("PORT", str(tap.port))
        monkeypatch.setenv("PERSONAS_LOCAL", str(tmp_path / "local"))
        # when its blocks are pasted into one shell,
        differences, _ = run_session(checkout_in(tmp_path))
    # then each prints what stands behind it,
    assert differences == []
    # and every request and every answer in it is as openapi.json describes it.
    assert {each.path.rpartition("/")[2] for each in tap.exchanges} >= set(OPERATIONS)
    for sent in tap.exchanges:
        line = (sent.method, sent.path)
        assert described().request_faults(*line, sent.request_headers, sent.request_body) == []
        assert described().answer_faults(*line, sent.status, sent.headers, sent.body) == []


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        (document.name, target)
        for document in DOCUMENTS
        for line in code_in(document.read_text(encoding="utf-8"))
        for target in re.findall(r"(?:^|[|;] *|\w=\S+ )make ([a-z0-9-]+)", line)
    }
    assert {target for _, target in named} >= {"run", "test", "check", "build", "setup"}
    assert [each for each in named if each[1] not in targets] == []


def test_every_command_and_option_that_a_document_names_exists() -> None:
    options_of = {
        words: {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for words, command in every_command()
        if not isinstance(command, click.Group)
    }
    named: set[tuple[str, ...]] = set()
    for document in DOCUMENTS:
        for line in code_in(document.read_text(encoding="utf-8")):
            for path, rest in re.findall(r"(?:^|\| |bin/|\$\(|uv run )?\bpersonas ((?:[a-z]+ ?){1,2})(.*)", line):
                words = tuple(path.split())
                command = next((words[:length] for length in (2, 1) if words[:length] in options_of), None)
                assert command is not None, f"{document.name}: personas {path}"
                named.add(command)
                unknown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest)) - options_of[command] - {"--help"}
                assert not unknown, f"{document.name}: personas {' '.join(command)} has no {unknown}"
    assert named == set(options_of), "the README's table has them all"


def test_every_module_that_a_document_names_exists() -> None:
    modules = [
        f"/{path}"
        for folder in ("benchmarks", "functions", "layers", "tests", "tools")
        for path in ROOT.glob(f"{folder}/**/*.py")
    ]
    named = {
        (document.name, name)
        for document in DOCUMENTS
        for name in re.findall(r"(?<![\w./-])((?:\w+/)*\w+\.py)\b", document.read_text(encoding="utf-8"))
        if not EXAMPLE.search(name)
    }
    assert ("architecture.md", "store/write_rule.py") in named
    assert [each for each in named if not any(module.endswith(f"/{each[1]}") for module in modules)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for target in _LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in anchors_of(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def anchors_of(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_names_every_parameter_of_a_deployment() -> None:
    text = README.read_text(encoding="utf-8")
    parameters = template.load(ROOT / "template.yaml")["Parameters"]
    assert isinstance(parameters, dict)
    assert [name for name in parameters if f"`{name}`" not in text] == []


def test_the_page_of_errors_names_every_code() -> None:
    page = set(_SPAN.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8")))
    assert codes_in(ROOT / "layers" / "shared" / "personas") - NEVER_RAISED - page == set()


def codes_in(package: Path) -> set[str]:
    """Return the codes of all problems: those given to errors, to verdicts, and the defaults of the error classes."""
    found: set[str] = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.keyword(arg="code", value=value):
                    found |= constants_in(value)
                case ast.Call(func=ast.Name(id="Verdict"), args=[ast.Constant(value=str(code)), *_]):
                    found.add(code)
                case ast.Assign(targets=[ast.Name(id="default_code")], value=ast.Constant(value=str(code))):
                    found.add(code)
                case ast.AnnAssign(target=ast.Name(id="default_code"), value=ast.Constant(value=str(code))):
                    found.add(code)
    return found


def constants_in(value: ast.expr) -> set[str]:
    """Return the strings that an expression may evaluate to: itself, or the branches of a condition."""
    match value:
        case ast.Constant(value=str(code)):
            return {code}
        case ast.IfExp(body=body, orelse=orelse):
            return constants_in(body) | constants_in(orelse)
    return set()
