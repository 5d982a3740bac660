"""The README's session: its blocks, run in one shell, and how what they print differs from what the README says."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
DOCUMENTS: Final = (
    *sorted(ROOT.glob("*.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_ANY: Final = "…"
_END: Final = "=== end ===\n"


class Step(NamedTuple):
    """A block of the session and what the README says that it prints."""

    commands: str
    shown: str


def session_of(text: str) -> list[Step]:
    """Return the bash blocks of a document, each with the text block behind it."""
    blocks = [(language, content) for _, language, content in FENCE.findall(text)]
    return [
        Step(content, blocks[position + 1][1] if blocks[position + 1][0] == "text" else "")
        for position, (language, content) in enumerate(blocks)
        if language == "bash"
    ]


def resembles(expected: str, printed: str) -> bool:
    """Return True if a line is the expected one; "…" stands for one or more characters."""
    return re.fullmatch(".+".join(map(re.escape, expected.split(_ANY))), printed) is not None


def checkout_in(folder: Path) -> Path:
    """Create a folder below ``folder`` in which the README's command line is this interpreter's."""
    command = folder / "checkout" / ".venv" / "bin" / "personas"
    command.parent.mkdir(parents=True)
    path = f"{ROOT / 'tools'}:{ROOT / 'layers' / 'shared'}"
    run = shlex.join(["env", f"PYTHONPATH={path}", sys.executable, "-m", "personas_tools.cli"])
    command.write_text(f'#!/bin/sh\nexec {run} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return folder / "checkout"


def run_session(checkout: Path, patience: float = 120) -> tuple[list[str], str]:
    """Paste the session's blocks into one shell: where it prints something else than the README, and all it prints."""
    steps = session_of(README.read_text(encoding="utf-8"))
    assert all(step.shown for step in steps)
    script = checkout / "session.sh"
    script.write_text("\n".join(f"{step.commands}\necho '{_END.strip()}'" for step in steps), encoding="utf-8")
    bash = shutil.which("bash")
    assert bash is not None
    session = subprocess.run(
        [bash, str(script)],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=patience,
        check=False,
    )
    printed = session.stdout.split(_END)
    assert len(printed) == len(steps) + 1, session.stdout
    differences = []
    for step, output in zip(steps, printed, strict=False):
        expected, lines = step.shown.splitlines(), output.splitlines()
        if len(expected) != len(lines) or not all(map(resembles, expected, lines)):
            differences.append(f"{step.commands}\nprinted:\n{output}\ninstead of:\n{step.shown}")
    return differences, session.stdout
