"""Every file of events/, sent to functions that run somewhere else: in a folder, in an emulator, in a container.

The events name ids, a key and versions of their own. `Walk` fills a store by the command line, makes what the events
ask for, puts the true ids in the place of the examples, and keeps what was answered.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

from click.testing import CliRunner

from personas_tools import template
from personas_tools.cli import main
from personas_tools.template import Function
from personas_tools.template_sources import queue_sources, stream_sources
from support.client import event

ROOT: Final = Path(__file__).parents[2]
EVENTS: Final = ROOT / "events"
TEMPLATE: Final = ROOT / "template.yaml"

LIBRARY: Final = """
departments: [{name: Nursing, id: 3e8b1f6c-2a4d-5b97-8c1e-6f7a8b9c0d1e}]
colors: [{name: Teal, hex_code: "#16818A", id: 0a6f3c1d-8b2e-5f47-9c5d-2e1f0a9b8c7d}]
icons: [{name: Stethoscope, value: stethoscope, id: 7d9e2b4a-5c1f-5e83-a6d2-3b4c5d6e7f80}]
flags: [{key: active, label: Active}]
parameters: [{name: Mood, fields: [{name: Calm, id: b4d7e9a1-6c3f-5d28-9e4b-1a2c3d4e5f60}]}]
"""
"""The catalogue that the events speak of, under their ids."""

_PERSONA: Final = "5f0c7a52-3c1e-4b8e-9a57-0d3f6a2b7c11"
_COPY: Final = "9b1d8f04-6e2a-4c0f-8a63-4e5d7b9c2f10"
_DRAFT: Final = "c2a4e6b8-1d3f-4a5c-8e7b-9f0a1b2c3d4e"
_UPLOAD: Final = "e1f2a3b4-c5d6-4e7f-8a9b-0c1d2e3f4a5b"
_GROUP: Final = "2b7d4f90-1a3c-4e5b-8d6f-7a8b9c0d1e2f"
_KEY: Final = "an-api-key-goes-here"
"""The placeholders in the events for values that only a walk knows."""

ORDER: Final = (
    "create",
    "get",
    "draft",
    "drafts",
    "update",
    "history",
    "compare",
    "restore",
    "duplicate",
    "search",
    "mcp",
    "refresh",
    "export",
    "download",
    "docs",
    "delete",
    "scheduled",
    "queue",
    "stream",
)
"""The order in which what an event needs is there."""


class Invoke(Protocol):
    """A call of a deployed function by its logical id, which returns the function's result."""

    def __call__(self, function: str, event: dict[str, Any]) -> object:
        """Raise where the function fails."""
        ...


def targets(template_file: Path = TEMPLATE) -> dict[str, str]:
    """Return the event files whose sender the template has, in the order of the walk, with their functions' ids."""
    routes = {
        f"{route.method} {route.path}": function.logical_id
        for function in template.functions(template_file).values()
        for route in function.routes
    }
    others = {
        "scheduled": next((each.function for each in template.schedules(template_file)), None),
        "queue": next((each.function for each in queue_sources(template_file)), None),
        "stream": next((each.function for each in stream_sources(template_file)), None),
    }
    found = {name: others.get(name) or routes.get(_read(name).get("routeKey", "")) for name in ORDER}
    return {name: function for name, function in found.items() if function is not None}


@cache
def functions() -> Mapping[str, Function]:
    """Return the functions of the template, by logical id."""
    return template.functions(TEMPLATE)


def _read(name: str) -> dict[str, Any]:
    raw = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(raw, dict)
    return raw


@dataclass
class Walk:
    """One walk through all events, on the table ``table`` of the AWS that the environment leads to."""

    table: str
    invoke: Invoke
    group: str = field(default_factory=lambda: str(uuid4()))
    answers: dict[str, Any] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)
    _targets: dict[str, str] = field(default_factory=targets)

    def run(self) -> "Walk":
        """Fill the store and send every event; the answers are in ``answers``, by the name of the event."""
        self._fill()
        for name in self._targets:
            for prepare in {"draft": [self._two_drafts], "update": [self._two_updates]}.get(name, []):
                prepare()
            self.answers[name] = self.send(name)
            self._learn(name)
        return self

    def send(self, name: str) -> Any:
        """Send one event, with the true ids in it."""
        return self.invoke(self._targets[name], self.event(name))

    def event(self, name: str) -> dict[str, Any]:
        """Return an event as its file has it, with the ids of this walk."""
        text = json.dumps(_read(name))
        for example, true in self._known.items():
            text = text.replace(example, true)
        raw = json.loads(text)
        assert isinstance(raw, dict)
        return raw

    def _fill(self) -> None:
        where = ("--table", self.table, "--group", self.group)
        self._command("library", "load", "-", *where, typed=LIBRARY)
        self._command("profile", "put", *where, "--name", "Ola", "--role", "superadmin", "--department", "Nursing")
        key = self._command("key", "issue", *where, "--profile", "Ola", "--expires", "1d", "--label", "walk")
        self._known |= {_KEY: key.strip(), _GROUP: self.group}

    def _command(self, *words: str, typed: str | None = None) -> str:
        result = CliRunner().invoke(main, words, input=typed, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def _two_drafts(self) -> None:
        """Make version 2 of a draft, which the event patches."""
        draft_id = self._call("draft", {"name": "Mara"})["draft_id"]
        self._call("draft", {"input_draft_id": draft_id, "expected_version": 1, "name": "Mara Li"})
        self._known[_DRAFT] = draft_id

    def _two_updates(self) -> None:
        """Make version 3 of a persona, which the event updates."""
        for description in ("A nurse", "A night nurse"):
            item = {"persona_id": self._known[_PERSONA], "description": description}
            assert self._call("update", {"personas": [item]})["results"][0]["success"]

    def _call(self, operation: str, body: object) -> dict[str, Any]:
        answer = self.invoke(self._targets[operation], event(operation, body, {"x-api-key": self._known[_KEY]}))
        assert isinstance(answer, dict)
        assert answer["statusCode"] == 200, answer
        body = json.loads(answer["body"])
        assert isinstance(body, dict)
        return body

    def _learn(self, name: str) -> None:
        match name, self.answers[name]:
            case "create", {"body": str(body)}:
                self._known[_PERSONA] = json.loads(body)["results"][0]["persona_id"]
            case "duplicate", {"body": str(body)}:
                self._known[_COPY] = json.loads(body)["persona_id"]
            case "export", {"body": str(body)}:
                self._known[_UPLOAD] = json.loads(body)["upload_id"]


def succeeded(name: str, answer: Any) -> bool:
    """Return True if an answer is the one that its sender hopes for."""
    match name:
        case "queue" | "stream" | "events":
            return bool(answer == {"batchItemFailures": []})
        case "scheduled":
            return bool(answer["queued"] >= 0)
        case "download":
            return bool(answer["statusCode"] == 302)  # to the file
        case _:
            return bool(answer["statusCode"] == 200)
