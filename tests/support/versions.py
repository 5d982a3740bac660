"""Writers who know which versions they have made of their personas, and what each of them held."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from personas.clock import machine_time
from personas.domain.persona import Persona
from personas.runtime import Deadline
from personas.store.history import HistoryStore, HistoryTable
from personas_tools.emulator import running
from personas_tools.stack import LocalStack

FIELDS: Final = ("name", "description", "instructions")

RECORDED_WITHIN: Final = 60.0
"""Seconds."""

type Contents = tuple[str | None, ...]
type Call = Callable[[str, object], tuple[int, dict[str, Any]]]
"""A call of an operation, which returns status and body."""


@dataclass(frozen=True)
class Version:
    """A version as it was answered; a deletion has no contents."""

    number: int
    kind: str
    contents: Contents | None


@dataclass
class Writing:
    """A writer of a few personas, that nobody else writes. ``lines`` are the versions of each, by id."""

    number: int
    personas: int = 5
    lines: dict[str, list[Version]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.number)
        self._ids = [str(UUID(int=self._random.getrandbits(128), version=4)) for _ in range(self.personas)]
        self._texts = 0

    def act(self, call: Call) -> None:
        """Create, change or delete one of the personas, at random."""
        persona_id = self._random.choice(self._ids)
        line = self.lines.setdefault(persona_id, [])
        if not line or line[-1].contents is None:
            self._create(call, persona_id, line)
        elif self._random.random() < 0.15:
            self._delete(call, persona_id, line)
        else:
            self._update(call, persona_id, line, line[-1].contents)

    def _create(self, call: Call, persona_id: str, line: list[Version]) -> None:
        contents = (self._text(), None, self._text())
        item = {"id": persona_id, "color": "Teal", "icon": "Star", **dict(zip(FIELDS, contents, strict=True))}
        version = _saved(call("create", {"personas": [item]}))
        line.append(Version(version, "created", contents))

    def _update(self, call: Call, persona_id: str, line: list[Version], before: Contents) -> None:
        changes = {name: self._text() for name in self._random.sample(FIELDS, self._random.randint(1, 3))}
        version = _saved(call("update", {"personas": [{"persona_id": persona_id, **changes}]}))
        now = {**dict(zip(FIELDS, before, strict=True)), **changes}
        line.append(Version(version, "updated", tuple(now.values())))

    def _delete(self, call: Call, persona_id: str, line: list[Version]) -> None:
        status, answer = call("delete", {"persona_ids": [persona_id]})
        assert status == 200, answer
        assert answer["results"][0]["success"], answer
        line.append(Version(line[-1].number + 1, "deleted", None))

    def _text(self) -> str:
        self._texts += 1
        return f"Text {self.number}.{self._texts}" + " and so on" * self._random.randint(0, 9)


def recorded(history: HistoryStore, group_id: str, persona_id: str) -> list[Version]:
    """Return all versions of a persona as the history has them, the first one first."""
    found: list[Version] = []
    below: int | None = None
    while True:
        page = history.page(group_id, persona_id, below, 100)
        for record in page.records:
            past = history.version(group_id, persona_id, record.version)
            assert past is not None, (persona_id, record)
            contents = None if past.persona is None else contents_of(past.persona)
            found.append(Version(record.version, record.kind, contents))
        below = page.below
        if below is None:
            return found[::-1]


def contents_of(persona: Persona) -> Contents:
    """Return the texts of a persona that a writer writes."""
    texts = [getattr(persona.form, name) for name in FIELDS]
    return tuple(text and text.text for text in texts)


def _saved(answered: tuple[int, dict[str, Any]]) -> int:
    status, answer = answered
    assert status == 200, answer
    (result,) = answer["results"]
    assert result["success"], result
    assert isinstance(result["version"], int)
    return result["version"]


def store_of(folder: Path) -> HistoryStore:
    """Return the history of the server that works on ``folder``."""
    address = running(folder)
    assert address is not None
    stack = LocalStack(address, folder=folder)
    return HistoryStore(HistoryTable(stack.dynamodb(), stack.names["HistoryTable"], machine_time, Deadline()))


def eventually[T](look: Callable[[], T], wanted: T) -> T:
    """Return what is seen as soon as it is what is wanted, or at the end of the time that recording may take."""
    ends = time.monotonic() + RECORDED_WITHIN
    while (seen := look()) != wanted and time.monotonic() < ends:
        time.sleep(0.2)
    return seen
