"""The calls of one of many clients, and the events that it records: see ``support.history``.

The seed fixes the choices of each client, call by call; its answers depend on the others.
"""

import os
import random
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, NamedTuple

import personas.services
from personas.store.table import Table
from support.aws import forget, forget_clients
from support.client import Answer, Client
from support.clocks import clock_off
from support.history import Contents, Copy, Event, Read, Span, Write
from support.world import NEEDED, text_id

type Act = Literal[
    "get", "search", "list", "update", "create", "delete", "duplicate", "patch", "form", "drafts", "other"
]

WEIGHTS: Final[Mapping[Act, int]] = {
    "get": 24,
    "search": 12,
    "list": 3,
    "update": 22,
    "create": 9,
    "delete": 6,
    "duplicate": 3,
    "patch": 14,
    "form": 4,
    "drafts": 2,
    "other": 1,
}
"""The number of each act in 100 calls of a client. "other" is a refresh of the views or a new execution environment."""

COPIES_MAX: Final = 2
_COPY: Final = re.compile(r" Copy( \d+)?$")


class Choice(NamedTuple):
    """The next move of a client: the act, the personas or drafts concerned, and its manner."""

    act: Act
    targets: tuple[int, ...]
    guarded: bool
    describes: bool
    merges: bool
    """True for a guarded write of one field alone, which may go over later versions."""


@dataclass(frozen=True)
class Part:
    """One client's part in a history: which it is, how many calls it makes, and on what."""

    seed: int
    client: int
    calls: int
    personas: tuple[str, ...]
    drafts: tuple[str, ...]
    environment: Mapping[str, str]
    headers: Mapping[str, str]
    table: type[Table] = Table
    off: timedelta = timedelta()
    """The error of the clock of its machine."""

    def choices(self) -> Iterator[Choice]:
        """Yield the choices of the client; the same seed gives the same choices."""
        chance = random.Random(f"{self.seed}/{self.client}")
        merging = random.Random(f"{self.seed}/{self.client}/merging")
        acts, weights = list(WEIGHTS), list(WEIGHTS.values())
        for _ in range(self.calls):
            (act,) = chance.choices(acts, weights)
            among = len(self.drafts) if act in {"patch", "form"} else len(self.personas)
            # A third of all calls is about two items, so that clients meet there.
            targets = chance.sample(range(among), chance.choice((1, 1, 2, 3, 5)))
            if chance.random() < 1 / 3:
                targets[0] = chance.randrange(2)
            guarded, describes = chance.random() < 0.5, chance.random() < 0.5
            yield Choice(act, tuple(dict.fromkeys(targets)), guarded, describes, merging.random() < 0.5)


@dataclass
class Played:
    """The results of a part: events, the numbers of calls and operations, and answers without an explanation."""

    events: list[Event] = field(default_factory=list)
    calls: int = 0
    operations: int = 0
    unexplained: list[str] = field(default_factory=list)


def play(part: Part) -> Played:
    """Act as that client, in this process, on a store as ``part.table`` makes it."""
    os.environ.update(part.environment)
    # Logs and metrics go to stdout; sixteen of them at once are of use to nobody.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    vars(personas.services)["Table"] = part.table
    forget_clients()
    player = _Player(part)
    with clock_off(part.off):
        for number, choice in enumerate(part.choices()):
            player.act(number, choice)
    return player.played


class _Player:
    def __init__(self, part: Part) -> None:
        self.played = Played()
        self._part = part
        self._client = Client(part.headers)
        self._known: dict[str, int] = {}
        self._copies: list[str] = []
        self._span = Span(part.client, 0, 0)
        self._number = 0

    def act(self, number: int, choice: Choice) -> None:
        """Make a call, or the two or three that belong together."""
        self._number = number
        targets = [self._part.personas[each] for each in choice.targets] if choice.act not in {"patch", "form"} else []
        match choice.act:
            case "get":
                self._get(targets[0])
            case "search":
                self._search(choice.targets[0])
            case "list":
                self._search(None)
            case "update":
                self._update(choice)
            case "create":
                self._create(choice)
            case "delete":
                self._delete(targets[:2])
            case "duplicate":
                self._duplicate(targets[0])
            case "patch":
                self._patch(self._part.drafts[choice.targets[0]], choice)
            case "form":
                self._form(self._part.drafts[choice.targets[0]])
            case "drafts":
                self._drafts()
            case "other":
                self._other(choice)

    def _call(self, operation: str, body: object = None, items: int = 1) -> Answer:
        began = time.monotonic_ns()
        answer = self._client.call(operation, body)
        self._span = Span(self._part.client, began, time.monotonic_ns())
        self.played.calls += 1
        self.played.operations += items
        return answer

    # ---- Reads -----------------------------------------------------------------------------------------------------

    def _get(self, persona_id: str) -> tuple[int, Contents, str] | None:
        answer = self._call("get", {"persona_id": persona_id})
        if answer.status == 404:
            self._saw_none(persona_id)
            return None
        if not self._expected(answer, 200):
            return None
        body = answer.body
        contents, name = _of_form(body), body["names"]["resource"]["name"]
        self._saw(persona_id, body["version"], contents)
        return body["version"], contents, name

    def _search(self, index: int | None) -> None:
        text = "" if index is None else f"p{index:02} "
        answer = self._call("search", {"search": text, "page_size": 100})
        if not self._expected(answer, 200):
            return
        rows = {row["persona_id"]: row for row in answer.body["personas"]}
        if answer.body["total_count"] != len(rows):
            self.played.unexplained.append(f"{len(rows)} rows of {answer.body['total_count']}")
            return
        for persona_id, row in rows.items():
            description = row["description"] and text_id("descriptions", row["description"])
            contents = Contents(text_id("names", row["name"]), description)
            self._record(Read(persona_id, self._span, exists=True, contents=contents))
        for persona_id in self._part.personas if index is None else self._part.personas[index : index + 1]:
            if persona_id not in rows:
                self._saw_none(persona_id)

    def _form(self, draft_id: str) -> None:
        answer = self._call("get", {"draft_id": draft_id})
        if self._expected(answer, 200):
            self._saw(draft_id, answer.body["draft_version"], _of_form(answer.body))

    def _drafts(self) -> None:
        answer = self._call("drafts")
        if not self._expected(answer, 200):
            return
        entries = {entry["id"]: entry for entry in answer.body["entries"]}
        for draft_id in self._part.drafts:
            if draft_id in entries:
                entry = entries[draft_id]
                described = entry["description_ids"]
                contents = Contents(entry["name_ids"][0], described[0] if described else None)
                self._saw(draft_id, entry["version"], contents)
            else:
                self._saw_none(draft_id)

    # ---- Writes ----------------------------------------------------------------------------------------------------

    def _create(self, choice: Choice) -> None:
        given = [self._fields(target, choice, place) for place, target in enumerate(choice.targets)]
        items = [
            {**NEEDED, **fields, "id": self._part.personas[target]}
            for target, fields in zip(choice.targets, given, strict=True)
        ]
        answer = self._call("create", {"personas": items}, len(items))
        self._told("create", items, answer)

    def _update(self, choice: Choice) -> None:
        items: list[dict[str, object]] = []
        for place, target in enumerate(choice.targets):
            persona_id = self._part.personas[target]
            guarded = choice.guarded and persona_id in self._known
            guard = {"expected_version": self._known[persona_id], "merge": choice.merges} if guarded else {}
            fields = self._fields(target, choice, place, alone=guarded and choice.merges)
            items.append({"persona_id": persona_id, **guard, **fields})
        answer = self._call("update", {"personas": items}, len(items))
        self._told("update", items, answer)

    def _told(self, kind: Literal["create", "update"], items: list[dict[str, object]], answer: Answer) -> None:
        identifier = "id" if kind == "create" else "persona_id"
        if answer.status != 200:
            self._refused([str(item[identifier]) for item in items], answer, items[0].get("expected_version"))
            return
        for item, result in zip(items, answer.body["results"], strict=True):
            persona_id = str(item[identifier])
            if result["success"]:
                self._wrote(kind, persona_id, result["version"], item, merged=result.get("merged") is True)

    def _delete(self, persona_ids: list[str]) -> None:
        answer = self._call("delete", {"persona_ids": persona_ids}, len(persona_ids))
        if answer.status != 200:
            self._refused(persona_ids, answer)
            return
        for persona_id, result in zip(persona_ids, answer.body["results"], strict=True):
            if result["success"]:
                self._record(Write(persona_id, self._span, "delete", None))
                self._known.pop(persona_id, None)

    def _duplicate(self, persona_id: str) -> None:
        answer = self._call("duplicate", {"persona_id": persona_id})
        if answer.status != 200:
            self._refused([persona_id], answer)
            return
        span, copy_id = self._span, answer.body["persona_id"]
        seen = self._get(copy_id)
        if seen is None or seen[0] != 1:
            self.played.unexplained.append(f"the copy {copy_id} is {seen}")
            return
        _, contents, name = seen
        shown = Contents(text_id("names", _COPY.sub("", name)), contents.description)
        self._record(Copy(copy_id, span, persona_id, contents, shown))
        self._copies.append(copy_id)
        if len(self._copies) > COPIES_MAX:
            self._delete([self._copies.pop(0)])

    def _patch(self, draft_id: str, choice: Choice) -> None:
        expected = self._known.get(draft_id, 1)
        changes = self._fields(choice.targets[0], choice, 0, alone=choice.merges)
        fields = {"expected_version": expected, "merge": choice.merges, **changes}
        answer = self._call("draft", {"input_draft_id": draft_id, **fields})
        if answer.status == 409:
            body = answer.body
            if body["current_version"] == expected:
                self.played.unexplained.append(f"refused although expected: {answer.text}")
            state = body["form_state"]
            self._saw(draft_id, body["current_version"], Contents(state["name_id"], state["description_id"]))
        elif self._expected(answer, 200):
            merged = answer.body.get("merged") is True
            self._wrote("update", draft_id, answer.body["new_version"], fields, merged=merged)

    def _other(self, choice: Choice) -> None:
        if choice.guarded:
            self._expected(self._call("refresh"), 200)
        else:
            forget()

    # ---- What is recorded --------------------------------------------------------------------------------------------

    def _fields(self, target: int, choice: Choice, place: int, *, alone: bool = False) -> dict[str, object]:
        """Return a new name and, if the choice is to describe, a description: that ``alone`` where only one may be."""
        mark = f"{self._part.client}.{self._number}.{place}"
        described: dict[str, object] = {"description": f"About {mark}"} if choice.describes else {}
        return described if described and alone else {"name": f"p{target:02} {mark}", **described}

    def _wrote(
        self, kind: Literal["create", "update"], item: str, version: int, sent: Mapping[str, object], *, merged: bool
    ) -> None:
        described, named, expected = sent.get("description"), sent.get("name"), sent.get("expected_version")
        description = text_id("descriptions", str(described)) if described else None
        name = text_id("names", str(named)) if named else ""
        guard = {"merged_from" if merged else "expected": expected if isinstance(expected, int) else None}
        self._record(Write(item, self._span, kind, version, name, description, **guard))
        self._known[item] = version

    def _refused(self, items: list[str], answer: Answer, expected: object = None) -> None:
        """Record what a refusal shows about the items; it shows nothing if several were refused for several reasons."""
        body = answer.body
        match body["code"]:
            case "not_found":
                for item in items:
                    self._saw_none(item)
            case "id_taken":
                for item in items:
                    self._record(Read(item, self._span, exists=True))
            case "version_conflict" if len(items) == 1:
                if body["current_version"] == expected:
                    self.played.unexplained.append(f"refused although expected: {answer.text}")
                self._saw(items[0], body["current_version"], None)
            case "version_conflict" | "contended":
                pass
            case _:
                self.played.unexplained.append(answer.text)

    def _saw(self, item: str, version: int, contents: Contents | None) -> None:
        self._record(Read(item, self._span, exists=True, version=version, contents=contents))
        self._known[item] = version

    def _saw_none(self, item: str) -> None:
        self._record(Read(item, self._span, exists=False))

    def _record(self, event: Event) -> None:
        self.played.events.append(event)

    def _expected(self, answer: Answer, status: int) -> bool:
        if answer.status != status:
            self.played.unexplained.append(answer.text)
        return answer.status == status


def _of_form(body: dict[str, Any]) -> Contents:
    described = body["descriptions"]["resource"]
    return Contents(body["names"]["resource"]["id"], described and described["id"])
