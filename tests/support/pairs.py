"""A writer who searches at once for what it wrote: run in processes of their own, so it stands in a module of its own.

A function of the local server is a process of its own, so what answers a search is never what answered the write.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.server import Session

COLORS = ("Crimson", "Teal", "Olive")
LIVING_MAX = 60
"""With more personas than this of its own, a writer deletes."""


@dataclass
class Writer:
    """The writes of one writer over all of its rounds, and the searches that disagreed with them."""

    number: int
    written: int = 0
    made: int = 0
    living: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The values of the personas that it created and did not delete, by id."""
    deleted: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)

    @property
    def word(self) -> str:
        """The word that the descriptions of all of its personas contain, and those of nobody else."""
        return f"writer{self.number}z"


def write_and_search(port: int, key: str, writer: Writer, pairs: int) -> Writer:
    """Make so many pairs: a write that is answered with success, then one search, which must know of it."""
    chance = random.Random(f"{writer.number}/{writer.written}")
    with Session(port, key) as session:
        for _ in range(pairs):
            persona_id = _write(session, writer, chance)
            writer.written += 1
            (_look_at_one if chance.random() < 0.5 else _look_at_all)(session, writer, persona_id, chance)
    return writer


def _write(session: Session, writer: Writer, chance: random.Random) -> str:
    """Create, update or delete one persona; its id."""
    kind = chance.choices(("create", "update", "delete"), (5, 5, 4))[0] if writer.living else "create"
    if len(writer.living) > LIVING_MAX:
        kind = "delete"
    writer.kinds[kind] += 1
    if kind == "create":
        writer.made += 1
        values = _values(writer, chance, f"p{writer.number}n{writer.made}q")
        # Most of those that were deleted live again, or the emulator gets slow with every item.
        again = {"id": writer.deleted.pop()} if writer.deleted and chance.random() < 0.8 else {}
        result = _saved(session, "create", {"personas": [values | again]})
        writer.living[result["persona_id"]] = values
    elif kind == "update":
        persona_id = chance.choice(list(writer.living))
        name = writer.living[persona_id]["name"].split(" ")[0]
        values = _values(writer, chance, name)
        result = _saved(session, "update", {"personas": [{"persona_id": persona_id, **values}]})
        writer.living[persona_id] = values
    else:
        persona_id = chance.choice(list(writer.living))
        result = _saved(session, "delete", {"persona_ids": [persona_id]})
        del writer.living[persona_id]
        writer.deleted.append(persona_id)
    return str(result["persona_id"])


def _values(writer: Writer, chance: random.Random, name: str) -> dict[str, Any]:
    return {
        "name": f"{name} {chance.randrange(10**6)}",
        "description": f"{writer.word} {chance.randrange(10**6)}",
        "color": chance.choice(COLORS),
        "icon": "briefcase",
        "instructions": "You answer in short sentences.",
    }


def _saved(session: Session, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
    status, answer = session.call(operation, body)
    assert status == 200, f"{operation}: {status} {answer}"
    result = answer["results"][0]
    assert result["success"], result
    return dict(result)


def _look_at_one(session: Session, writer: Writer, persona_id: str, _: random.Random) -> None:
    """Check that a search finds what was just written under its new name alone, and does not find what was deleted."""
    values = writer.living.get(persona_id)
    text = values["name"] if values else f"p{writer.number}n"
    status, answer = session.call("search", {"search": text, "page_size": 100})
    assert status == 200, f"search: {status} {answer}"
    found = {each["persona_id"]: (each["name"], each["description"]) for each in answer["personas"]}
    want = {persona_id: (values["name"], values["description"])} if values else _all(writer)
    if found != want or answer["total_count"] != len(want):
        writer.misses.append(f"{persona_id} by {text!r}: {found} instead of {want}")


def _look_at_all(session: Session, writer: Writer, persona_id: str, chance: random.Random) -> None:
    """Check that a search counts all of the writer's personas, and their colors."""
    body = {"search": writer.word, "page_size": 1, "page_offset": chance.randrange(LIVING_MAX)}
    status, answer = session.call("search", body)
    assert status == 200, f"search: {status} {answer}"
    found = {each["name"]: each["count"] for each in answer["color_filter"]["options"] if each["count"]}
    want = dict(Counter(each["color"] for each in writer.living.values()))
    if found != want or answer["total_count"] != len(writer.living):
        total = answer["total_count"]
        writer.misses.append(f"after {persona_id}: {total} of {len(writer.living)}, {found} instead of {want}")


def _all(writer: Writer) -> dict[str, tuple[str, str]]:
    return {each: (values["name"], values["description"]) for each, values in writer.living.items()}
