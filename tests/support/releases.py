"""The functions of the last release beside the present ones, on the same tables, bucket and queue of the emulator.

tests/releases/last.zip holds the sources of the last release (`make keep-release`). Every function of either release is
a process of its own that imports its release's own layer, and stays warm until it is renewed.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4
from zipfile import ZipFile

import httpx2
import pytest
from click.testing import CliRunner

from personas_tools import invocation
from personas_tools.cli import main
from personas_tools.stack import NAME, LocalStack
from personas_tools.workers import LAYER_AND_LIBRARIES, Workers
from support.client import Answer, event

ARCHIVE: Final = Path(__file__).parents[1] / "releases" / "last.zip"

LIBRARY: Final = """
departments: [{name: Care}, {name: Sales}]
colors: [{name: Teal, hex_code: "#16818A"}, {name: Plum, hex_code: "#6E2A59"}]
icons: [{name: Star, value: star}, {name: Heart, value: heart-pulse}]
flags: [{key: active, label: Active}]
voices: [{voice: Alto}, {voice: Bass}]
parameters: [{name: Mood, fields: [{name: Calm}, {name: Angry}]}]
"""
PEOPLE: Final = {"root": ("superadmin", "Care"), "coach": ("instructional", "Care")}
"""The role and the department of each caller."""

_VARYING: Final = frozenset({"request_id"})


@dataclass
class Release:
    """The functions of one release."""

    workers: Workers
    log: Path
    _read: int = 0

    def invoke(self, operation: str, raw: dict[str, Any]) -> Any:
        """Invoke an operation's function with an event as it is."""
        outcome = self.workers.invoke(f"{NAME}-{operation.capitalize()}Function", raw)
        assert isinstance(outcome, invocation.Answer), outcome
        return outcome.payload

    def renew(self) -> None:
        """Let every later call meet a new environment, which knows nothing."""
        self.workers.renew()

    def warnings(self) -> list[str]:
        """Return what its functions have logged as a warning or worse since the last call of this."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        news, self._read = lines[self._read :], len(lines)
        return [line for line in news if '"level":"WARNING"' in line or '"level":"ERROR"' in line]


@dataclass
class Group:
    """A group, its callers' keys, and the two releases that answer them."""

    stack: LocalStack
    old: Release
    new: Release
    id: str = field(default_factory=lambda: str(uuid4()))
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._command("library", "load", "-", typed=LIBRARY)
        for who, (role, department) in PEOPLE.items():
            self._command("profile", "put", "--name", who, "--role", role, "--department", department)
            self.keys[who] = self._command("key", "issue", "--profile", who, "--expires", "1d").strip()

    def call(self, release: Release, operation: str, body: object = None, who: str = "root", **headers: str) -> Answer:
        """Call an operation of a release; ``_`` in the name of a header stands for a hyphen."""
        sent = {"x-api-key": self.keys[who], **{name.replace("_", "-"): value for name, value in headers.items()}}
        raw = release.invoke(operation, event(operation, body, sent))
        return Answer(raw["statusCode"], raw.get("headers", {}), raw.get("body") or "")

    def succeed(self, release: Release, operation: str, body: object = None, **headers: str) -> dict[str, Any]:
        """Call an operation that must succeed; the body of its answer."""
        answer = self.call(release, operation, body, **headers)
        assert answer.status == 200, answer.text
        return answer.body

    def agreed(self, operation: str, body: object = None, who: str = "root", **headers: str) -> Answer:
        """Ask both releases the same, and return the last one's answer: the present one's says the same, or more."""
        old, new = (self.call(release, operation, body, who, **headers) for release in (self.old, self.new))
        assert new.status == old.status, (old.text, new.text)
        assert new.headers.get("ETag") == old.headers.get("ETag")
        difference = _missing(old.body, new.body)
        assert difference is None, f"{operation} {body}: {difference}"
        return old

    def exported(self, by: Release, read_by: Release, body: object = None) -> bytes:
        """Export by one release, and download the file by another."""
        upload_id = self.succeed(by, "export", body)["upload_id"]
        answer = self.call(read_by, "download", {"upload_id": upload_id})
        assert answer.status == 302, answer.text
        file = httpx2.get(answer.headers["Location"], trust_env=False, timeout=30)
        assert file.status_code == 200, file.text
        return file.content

    def _command(self, *words: str, typed: str | None = None) -> str:
        where = ("--table", self.stack.personas_table, "--group", self.id)
        result = CliRunner().invoke(main, [*words, *where], input=typed, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout


@dataclass(frozen=True)
class Releases:
    """The two releases, on one stack."""

    stack: LocalStack
    old: Release
    new: Release

    def group(self) -> Group:
        """Return a new group with its callers."""
        return Group(self.stack, self.old, self.new)

    def warnings(self) -> list[str]:
        """Return what was logged as a warning or worse since the last call of this."""
        return [*self.old.warnings(), *self.new.warnings()]


def _missing(old: Any, new: Any, place: str = "") -> str | None:
    """Return the first place where ``new`` does not say what ``old`` says; fields that only ``new`` has are its own."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in old.keys() - _VARYING:
            if name not in new:
                return f"{place}/{name}: {old[name]!r} is left out"
            found = _missing(old[name], new[name], f"{place}/{name}")
            if found:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return next(
            filter(
                None, (_missing(*pair, f"{place}/{number}") for number, pair in enumerate(zip(old, new, strict=True)))
            ),
            None,
        )
    return None if old == new else f"{place}: {old!r} was, {new!r} is"


@contextmanager
def _running(stack: LocalStack, log: Path) -> Iterator[Release]:
    workers = Workers(stack.functions, log, libraries=LAYER_AND_LIBRARIES)
    try:
        yield Release(workers, log)
    finally:
        workers.close()


@pytest.fixture(scope="module")
def releases(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    """Provide both releases. The tests of a module share the tables, each with a group of its own."""
    folder = tmp_path_factory.mktemp("releases")
    with ZipFile(io.BytesIO(ARCHIVE.read_bytes())) as archive:
        archive.extractall(folder / "last")
    present = LocalStack(ministack, folder=folder)
    last = LocalStack(ministack, root=folder / "last", folder=folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in present.access.items():
            patch.setenv(name, value)
        present.create_missing()
        with _running(last, folder / "last.log") as old, _running(present, folder / "present.log") as new:
            yield Releases(present, old, new)
