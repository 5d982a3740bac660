"""Raw requests straight into the handlers: no 5xx, no hang, the contract's errors, and what was accepted is there.

``make fuzz`` sends many; ordinary tests a few of each operation. A failure tells its seed; FUZZ_SEED repeats it.
"""

import io
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from math import ceil
from random import Random
from typing import Any, Final
from unicodedata import normalize

import pytest

from personas.contract.problems import Problem
from personas.contract.registry import ARTIFACT
from personas.contract.visible import is_visible
from support.client import Answer, Client, Handler
from support.hostile import Gun, Json, Shot
from support.world import ACTIVE, ALTO, CARE, MOOD_CALM, NEEDED, NOBODY, STAR, TEAL, World, load_once

SEED: Final = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
BODIES: Final = int(os.environ.get("FUZZ_BODIES") or 0)
"""The number of bodies for all operations together; 0 stands for the few of an ordinary run."""
FEW: Final = 120
SECONDS_MAX: Final = 5.0
"""Of processor time for one call, which is less than a tenth as a rule; what is squared by length takes far more."""
ANSWER_MAX: Final = 6 * 1024 * 1024
SHARES: Final[Mapping[str, int]] = {"create": 5, "update": 5, "draft": 5, "get": 3, "search": 3, "delete": 2}
"""The shares of shots by operation; others have the share 1."""
PART: Final = 500
"""Shots at one group: a larger one makes moto slow."""


def parts() -> list[tuple[str, int]]:
    """Return the operations, each as often as it takes to send its share."""
    total = sum(SHARES.get(name, 1) for name in ARTIFACT)
    return [
        (name, part)
        for name in ARTIFACT
        for part in range(ceil(BODIES * SHARES.get(name, 1) / total / PART) if BODIES else 1)
    ]


PARTS: Final = parts()


class Range:
    """The handlers without what stands before them, and personas and drafts to shoot at."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = {"x-api-key": world.key("root")}
        self.client = Client(self.key, {name: self._handler(name) for name in ARTIFACT})
        self.persona_ids = [world.save(department_ids=[CARE], examples=["One.", "Two."]) for _ in range(5)]
        self.draft_id = world.draft("root", name="Draft")
        self.draft_version = 1
        world.restart()

    def _handler(self, operation: str) -> Handler:
        """Return a handler under its function's policies.

        All handlers share what is held in memory, and so are quick.
        """

        def handle(event: dict[str, Any], context: object) -> dict[str, Any]:
            with self.world.guard.acting_as(f"{operation.capitalize()}Function"):
                return load_once(operation)(event, context)

        return handle

    def sound(self, operation: str) -> Any:
        """Return a function that makes a body that the operation accepts."""

        def make(chance: Random) -> Json:
            persona_id = chance.choice((*self.persona_ids, NOBODY))
            links = {"department_ids": [CARE], "parameter_field_ids": [MOOD_CALM], "voice_ids": [ALTO]}
            values = {**NEEDED, "description": "Sends.", "examples": ["One.", "Two."], "active_flag": False}
            ids = {"color_id": TEAL, "icon_id": STAR, "active_flag_id": ACTIVE, **links}
            draft = {"input_draft_id": self.draft_id, "expected_version": self.draft_version}
            bodies: dict[str, Json] = {
                "get": {"persona_id": persona_id, "color_search": "T", "parameter_ids": [NOBODY], "icon_search": None},
                "search": {"search": "a", "field_ids": [], "page_size": 5, "page_offset": 0, "color_search": "e"},
                "create": {"personas": [dict(values) for _ in range(chance.choice((1, 1, 3)))]},
                "update": {"personas": [{"persona_id": persona_id, **values, "expected_version": None}]},
                "duplicate": {"persona_id": persona_id},
                "delete": {"persona_ids": [chance.choice((NOBODY, self.persona_ids[-1])), NOBODY]},
                "draft": {
                    "name": "Di",
                    "instructions": "Go.",
                    "examples": ["A"],
                    **ids,
                    **chance.choice((draft, draft, {})),
                },
                "docs": {"entity_id": persona_id},
                "history": {"persona_id": persona_id, **chance.choice(({"version": 1}, {"before_version": 2}))},
                "compare": {
                    "persona_id": persona_id,
                    "from_version": 1,
                    **chance.choice(({"to_version": 1}, {"draft_id": self.draft_id}, {})),
                },
                "restore": {"persona_id": persona_id, "version": 1, "expected_version": chance.choice((1, None))},
                "export": {"search": "a", "persona_id": persona_id, "field_ids": []},
            }
            return bodies.get(operation, {})

        return make

    # ---- What was accepted is there ----------------------------------------------------------------------------------

    def check_accepted(self, operation: str, shot: Shot, answer: Answer) -> None:
        """Check that an accepted body can be read back as it was sent."""
        if ARTIFACT[operation].request is None:
            return
        assert shot.body is not None
        sent = json.loads(shot.body) if shot.body.strip() else {}
        match operation:
            case "create" | "update":
                for item, result in zip(sent["personas"], answer.body["results"], strict=True):
                    if result["success"]:
                        self.check_form(item, self.form(persona_id=result["persona_id"]))
            case "draft":
                draft_id = answer.body["draft_id"]
                self.check_form(sent, self.form(draft_id=draft_id))
                if draft_id == self.draft_id:
                    self.draft_version = answer.body["new_version"]
            case "delete":
                for persona_id, result in zip(sent["persona_ids"], answer.body["results"], strict=True):
                    assert not result["success"] or self.client.call("get", {"persona_id": persona_id}).status == 404
                self.persona_ids[-1] = self.world.save()
            case "search":
                filters = {
                    name: answer.body[f"{name.removesuffix('_search')}_filter"] for name in sent if name in FACETS
                }
                assert {name: sent[name] for name in filters} == {
                    name: each["search"] for name, each in filters.items()
                }
            case "history":
                assert answer.body["current_version"] == self.form(persona_id=sent["persona_id"])["version"]
            case "restore":
                assert answer.body["version"] == self.form(persona_id=sent["persona_id"])["version"]
            case "duplicate":
                was, now = self.form(persona_id=sent["persona_id"]), self.form(persona_id=answer.body["persona_id"])
                assert now["instructions"] == was["instructions"]

    def form(self, **which: str) -> dict[str, Any]:
        """Return the form that get answers with."""
        answer = self.client.call("get", which)
        assert answer.status == 200, answer.text
        return answer.body

    def check_form(self, sent: Mapping[str, Any], form: Mapping[str, Any]) -> None:
        """Check that the texts and links of a form are those that were sent."""
        for name, section, inner in TEXTS:
            if name in sent and not sent.get(f"{name}_id"):
                resource = form[section]["resource"]
                assert (resource[inner] if resource else None) == kept(name, sent[name])
        if "examples" in sent and not sent.get("example_ids"):
            wanted = list(dict.fromkeys(kept("examples", each) for each in sent["examples"] or () if each.strip()))
            assert [each["example"] for each in form["examples"]["current"]] == wanted
        for name, section in (("color_id", "colors"), ("icon_id", "icons")):
            if sent.get(name):
                assert form[section]["resource"]["id"] == sent[name].lower()


FACETS: Final = tuple(f"{each}_search" for each in ("scenario", "field", "department", "color", "icon", "voice"))
TEXTS: Final = (
    ("name", "names", "name"),
    ("description", "descriptions", "description"),
    ("instructions", "instructions", "template"),
)


def kept(field: str, text: str | None) -> str | None:
    """Return a text of a field as the contract says that it is kept; empty instructions alone are a text."""
    if text is None or (field == "name" and not is_visible(text)):
        return None
    tidied = normalize("NFC", text.strip())
    return tidied if field == "instructions" else tidied or None


def check_answer(operation: str, answer: Answer) -> None:
    """Check that an answer is the operation's or a problem, in the contract's shape."""
    assert answer.status < 500, answer.text
    assert len(answer.text) <= ANSWER_MAX
    if answer.status == 200:
        assert answer.headers["Content-Type"] == "application/json"
        ARTIFACT[operation].response.model_validate(answer.body)
        return
    assert answer.status in ARTIFACT[operation].errors
    assert answer.headers["Content-Type"] == "application/json"
    assert Problem.model_validate(answer.body).status == answer.status
    assert all(each["field"] == "" or each["field"].startswith("/") for each in answer.body.get("errors", ()))


@pytest.mark.parametrize(("operation", "part"), PARTS)
def test_raw_bodies(
    world: World, logged: io.StringIO, capsys: pytest.CaptureFixture[str], operation: str, part: int
) -> None:
    target = Range(world)
    chance = Random(f"{SEED}/{operation}/{part}")
    gun = Gun(operation, target.sound(operation), chance, target.key)
    statuses: Counter[int] = Counter()
    slowest = 0.0

    for number in range(PART if BODIES else FEW):
        shot = gun.shot()
        began = time.process_time()
        try:
            answer = target.client.invoke(operation, shot.event)
            took = time.process_time() - began
            check_answer(operation, answer)
            if answer.status == 200:
                target.check_accepted(operation, shot, answer)
            assert took < SECONDS_MAX, f"{took:.1f} s"
        except Exception as error:  # raised again, with the shot that led to it
            error.add_note(f"FUZZ_SEED={SEED}, shot {number} of part {part}: {ascii(shot.event)[:3_000]}")
            raise
        statuses[answer.status] += 1
        slowest = max(slowest, took)
        # Nothing that was sent makes a line of its own in a log.
        lines = logged.getvalue().splitlines() + capsys.readouterr().out.splitlines()
        assert all(json.loads(line).get("message") != "forged" for line in lines)
        logged.seek(0)
        logged.truncate()

    if BODIES:
        told = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
        with capsys.disabled():
            sys.stdout.write(f"\n{operation}: {PART:,} bodies, seed {SEED}; {told}; slowest {slowest:.2f} s")
