"""Tests of drafts against a model: after any patches, in any order, they equal a plain dict.

The state machine drives the real handlers of draft, drafts and get. Its model holds, for each draft, its version, what
was ever patched, and when it was last written; everything that an answer says is compared with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from personas.contract.persona_fields import TextKind
from personas.domain.draft import DRAFT_LIFE
from personas.domain.profile import Profile
from personas.services import services
from personas.store import keys
from support.aws import Aws
from support.client import Answer, Client
from support.form import LISTED, SEVERAL, SINGLE
from support.warm import unguarded_world, warm_client
from support.world import (
    ACTIVE,
    ALTO,
    BASS,
    CARE,
    GROUP,
    HEART,
    LEGAL,
    MOOD_ANGRY,
    MOOD_CALM,
    NEEDED,
    NOBODY,
    PLUM,
    SALES,
    STAR,
    TEAL,
    TONE_FORMAL,
    World,
    entry_id,
    text_id,
)

type Selection = str | list[str] | None
type Patch = dict[str, object]
"""The body of a draft patch, without the draft and its version."""

NAMES: Final = ("Ada", "Grace", "Zoë", "名前")
DESCRIPTIONS: Final = ("Calm.", "Loud.", "A long one." * 40)
INSTRUCTIONS: Final = ("Ask.", "Answer.", "Listen.\nThen listen again." * 100)
EXAMPLES: Final = ("Hello?", "Good bye!", "“Quoted”", "a|b\\c")

OF_BELL: Final = ("Bell", "Rings.", str(NEEDED["instructions"]))
"""The texts of the persona that drafts are laid over."""

SINGLE_TEXTS: Final[Mapping[str, tuple[TextKind, tuple[str, ...], str]]] = {
    "name": ("names", NAMES, "name_id"),
    "description": ("descriptions", DESCRIPTIONS, "description_id"),
    "instructions": ("instructions", INSTRUCTIONS, "instructions_id"),
}
LINKS: Final[Mapping[str, tuple[str, ...]]] = {"color_id": (TEAL, PLUM), "icon_id": (STAR, HEART)}
LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "department_ids": (CARE, SALES, LEGAL),
    "parameter_field_ids": (MOOD_CALM, MOOD_ANGRY, TONE_FORMAL),
    "voice_ids": (ALTO, BASS),
}
EMPTY: Final[Mapping[str, Selection]] = {**dict.fromkeys(SINGLE), **{name: [] for name in SEVERAL}}
"""A draft in which nothing was ever selected."""
CALLED: Final = {
    **{name: f"{name}_id" for name in ("name", "description", "instructions", "color", "icon")},
    **{"active": "active_flag_id", "departments": "department_ids", "parameter_fields": "parameter_field_ids"},
    **{"examples": "example_ids", "voices": "voice_ids"},
}
"""The fields of the form state by the names that a conflict has for them."""


class Part(NamedTuple):
    """A few fields of a patch as a client may send them, and what they stand for in terms of the form state."""

    sent: Patch
    meant: dict[str, Selection]


ABSENT: Final = Part({}, {})


def single_text(name: str) -> st.SearchStrategy[Part]:
    """Draw a text by value (blanks around it are nothing), by id, or cleared in one of several ways.

    Instructions that are blank are the empty text; a blank name or description clears.
    """
    kind, texts, id_name = SINGLE_TEXTS[name]
    blank = text_id(kind, "") if name == "instructions" else None
    text = st.sampled_from(texts)
    return st.one_of(
        st.just(ABSENT),
        text.map(lambda each: Part({name: each}, {id_name: text_id(kind, each)})),
        text.map(lambda each: Part({name: f"  {each}\n"}, {id_name: text_id(kind, each)})),
        text.map(lambda each: Part({id_name: text_id(kind, each)}, {id_name: text_id(kind, each)})),
        st.sampled_from(
            [
                Part({name: None}, {id_name: None}),
                Part({id_name: None}, {id_name: None}),
                Part({name: " "}, {id_name: blank}),
                Part({name: None, id_name: None}, {id_name: None}),
            ]
        ),
    )


def single_link(name: str) -> st.SearchStrategy[Part]:
    """Draw a link, or null for none."""
    return st.just(ABSENT) | st.sampled_from((*LINKS[name], None)).map(lambda each: Part({name: each}, {name: each}))


def flag() -> st.SearchStrategy[Part]:
    """Draw the flag under either of its names, or under both."""
    names = st.sampled_from((("flag_id",), ("active_flag_id",), ("flag_id", "active_flag_id")))
    return st.just(ABSENT) | st.tuples(names, st.sampled_from((ACTIVE, None))).map(
        lambda each: Part(dict.fromkeys(each[0], each[1]), {"active_flag_id": each[1]})
    )


def links(name: str) -> st.SearchStrategy[Part]:
    """Draw a list of links, in which one may come twice; null is the empty list."""
    chosen = st.lists(st.sampled_from(LISTS[name]), max_size=4) | st.none()
    return st.just(ABSENT) | chosen.map(lambda ids: Part({name: ids}, {name: list(dict.fromkeys(ids or ()))}))


def examples() -> st.SearchStrategy[Part]:
    """Draw examples by ids, by values, or by both: the ids come first."""
    chosen = st.lists(st.sampled_from(EXAMPLES), max_size=4) | st.none()

    def part(by_id: list[str] | None, by_value: list[str] | None, sides: tuple[str, ...]) -> Part:
        ids = None if by_id is None else [text_id("examples", each) for each in by_id]
        sent = {"example_ids": ids, "examples": by_value}
        meant = [*(ids or ())] if "example_ids" in sides else []
        if "examples" in sides:
            meant += [text_id("examples", each) for each in by_value or ()]
        return Part({side: sent[side] for side in sides}, {"example_ids": list(dict.fromkeys(meant))})

    sides = st.sampled_from((("example_ids",), ("examples",), ("example_ids", "examples")))
    return st.just(ABSENT) | st.builds(part, chosen, chosen, sides)


def patches() -> st.SearchStrategy[Part]:
    """Draw whole patches, down to empty ones."""
    parts = [
        *map(single_text, SINGLE_TEXTS),
        *map(single_link, LINKS),
        flag(),
        *map(links, LISTS),
        examples(),
    ]
    return st.tuples(*parts).map(
        lambda each: Part(
            {name: value for part in each for name, value in part.sent.items()},
            {name: value for part in each for name, value in part.meant.items()},
        )
    )


@dataclass
class Modelled:
    """A draft as it should be. ``patched`` holds what was ever patched, explicit clears included."""

    id: str
    version: int
    created_at: datetime
    written_at: datetime
    patched: dict[str, Selection] = field(default_factory=dict)
    changed_in: dict[str, int] = field(default_factory=dict)
    """The version in which a field was last patched; one that is not there changed in ``since``."""
    since: int = 1

    def take(self, meant: Mapping[str, Selection], now: datetime) -> None:
        """Lay a patch over it."""
        self.version += 1
        self.patched |= meant
        self.changed_in |= dict.fromkeys(meant, self.version)
        self.written_at = now

    def conflicts(self, meant: Mapping[str, Selection], expected: int) -> set[str]:
        """Return the fields of a patch that have changed since a version, and hold another value."""
        return {
            name
            for name, value in meant.items()
            if self.changed_in.get(name, self.since) > expected and (value or None) != (self.selections[name] or None)
        }

    @property
    def selections(self) -> dict[str, Selection]:
        """Every field, what the draft never spoke of as empty."""
        return {**EMPTY, **self.patched}

    @property
    def form_state(self) -> dict[str, Selection]:
        """Return the state that a caller sees: a list only if the draft has set it."""
        return {**dict.fromkeys(SINGLE), **self.patched}

    def expired(self, now: datetime) -> bool:
        return now.timestamp() >= int((self.written_at + DRAFT_LIFE).timestamp())


class Drafts(RuleBasedStateMachine):
    """A person with drafts, somebody else who tries to get at them, and time that passes."""

    drafts = Bundle("drafts")
    world: World
    moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
    """One clock for all runs of the machine: an environment that stays warm never sees time go back."""
    numbers = count()

    def __init__(self) -> None:
        super().__init__()
        self.me, self.my_id = self._person()
        self.somebody_else, _ = self._person()
        self.model: dict[str, Modelled] = {}
        services().now = services().table.now = self._now
        persona = {**NEEDED, "name": "Bell", "description": "Rings.", "voices": ["Bass"], "departments": ["Legal"]}
        self.persona_id = _ok(self.somebody_else.call("create", {"personas": [persona]}))["results"][0]["persona_id"]
        # Texts are known by their ids once somebody has sent them.
        for name, (_, texts, _) in SINGLE_TEXTS.items():
            for text in texts:
                _ok(self.somebody_else.call("draft", {name: text}))
        _ok(self.somebody_else.call("draft", {"examples": list(EXAMPLES)}))

    # ---- What can happen ---------------------------------------------------------------------------------------------

    @rule(target=drafts, sent=patches(), version=st.sampled_from(("absent", None, 0)))
    def begin(self, sent: Part, version: str | int | None) -> str:
        patch, meant = sent
        guard = {} if version == "absent" else {"expected_version": version}
        body = _ok(self.me.call("draft", {**patch, **guard}))
        draft = Modelled(body["draft_id"], 1, self._now(), self._now(), dict(meant))
        assert draft.id not in self.model
        self.model[draft.id] = draft
        self._is_told(body, draft)
        return draft.id

    @rule(sent=patches(), version=st.integers(1, 5))
    def begin_expecting_a_version(self, sent: Part, version: int) -> None:
        assert self.me.call("draft", {**sent[0], "expected_version": version}).status == 409

    @rule(draft_id=drafts, sent=patches())
    def patch(self, draft_id: str, sent: Part) -> None:
        draft, (patch, meant) = self.model[draft_id], sent
        answer = self.me.call("draft", {"input_draft_id": draft_id, "expected_version": draft.version, **patch})
        if draft.expired(self._now()):
            assert answer.status == 404
            return
        draft.take(meant, self._now())
        self._is_told(_ok(answer), draft)

    @rule(draft_id=drafts, sent=patches(), back=st.integers(0, 4))
    def merge(self, draft_id: str, sent: Part, back: int) -> None:
        draft, (patch, meant) = self.model[draft_id], sent
        expected = max(0, draft.version - back)
        guard = {"input_draft_id": draft_id, "expected_version": expected, "merge": True}
        answer = self.me.call("draft", {**guard, **patch})
        if draft.expired(self._now()):
            assert answer.status == 404
            return
        if expected < draft.version and (conflicts := draft.conflicts(meant, expected)):
            told = answer.body
            assert (answer.status, told["code"], told["current_version"]) == (409, "version_conflict", draft.version)
            assert {CALLED[each["field"]] for each in told["conflicts"]} == conflicts
            assert told["form_state"] == draft.form_state
            return
        merged = expected != draft.version
        draft.take(meant, self._now())
        body = _ok(answer)
        assert body.get("merged") is (True if merged else None)
        self._is_told(body, draft)

    @rule(draft_id=drafts)
    def the_last_release_patches_it(self, draft_id: str) -> None:
        """Let a function of the last release write: it leaves the record of what changed as it was."""
        draft = self.model[draft_id]
        if draft.expired(self._now()):
            return
        key = keys.draft(GROUP, self.my_id, draft_id)
        draft.version += 1
        draft.since, draft.changed_in = draft.version, {}
        for name in ("version", "seq"):
            self.world.set(key, name, draft.version)

    @rule(draft_id=drafts, sent=patches(), off=st.integers(-3, 3).filter(bool), absent=st.booleans())
    def patch_expecting_another_version(self, draft_id: str, sent: Part, off: int, absent: bool) -> None:
        draft, (patch, meant) = self.model[draft_id], sent
        expected = 0 if absent else max(0, draft.version + off)
        guard = {} if absent else {"expected_version": expected}
        answer = self.me.call("draft", {"input_draft_id": draft_id, **guard, **patch})
        if draft.expired(self._now()):
            assert answer.status == 404
            return
        told = answer.body
        assert (answer.status, told["code"]) == (409, "version_conflict")
        assert (told["draft_id"], told["expected_version"]) == (draft_id, expected)
        assert (told["current_version"], told["form_state"]) == (draft.version, draft.form_state)
        assert datetime.fromisoformat(told["updated_at"]) == draft.written_at
        assert set(told["differing_fields"]) == {
            name for name, value in meant.items() if value != draft.selections[name]
        }

    @rule(draft_id=drafts, sent=patches(), field_name=st.sampled_from(("name_id", "color_id", "voice_ids")))
    def patch_with_an_id_of_nothing(self, draft_id: str, sent: Part, field_name: str) -> None:
        nothing: object = [NOBODY] if field_name == "voice_ids" else NOBODY
        patch = {**sent[0], field_name: nothing}
        patch.pop("name", None)
        version = self.model[draft_id].version
        answer = self.me.call("draft", {"input_draft_id": draft_id, "expected_version": version, **patch})
        assert answer.status == 422

    @rule(draft_id=drafts, sent=patches())
    def somebody_else_tries(self, draft_id: str, sent: Part) -> None:
        version = self.model[draft_id].version
        body = {"input_draft_id": draft_id, "expected_version": version, **sent[0]}
        assert self.somebody_else.call("draft", body).status == 404
        assert self.somebody_else.call("get", {"draft_id": draft_id}).status == 404
        listed = _ok(self.somebody_else.call("drafts"))["entries"]
        assert draft_id not in {entry["id"] for entry in listed}

    @rule()
    def see_the_list(self) -> None:
        entries = _ok(self.me.call("drafts"))["entries"]
        live = [draft for draft in self.model.values() if not draft.expired(self._now())]
        expected = sorted(live, key=lambda draft: draft.written_at, reverse=True)
        assert [entry["id"] for entry in entries] == [draft.id for draft in expected]
        for entry, draft in zip(entries, expected, strict=True):
            state = {name: _as_list(value) for name, value in draft.selections.items()}
            assert entry["version"] == draft.version
            assert datetime.fromisoformat(entry["created_at"]) == draft.created_at
            assert {name: entry[LISTED[name]] for name in state} == state

    @rule(draft_id=drafts)
    def see_it_over_the_blank_form(self, draft_id: str) -> None:
        self._is_laid_over(draft_id, {}, EMPTY)

    @rule(draft_id=drafts)
    def see_it_over_a_persona(self, draft_id: str) -> None:
        persona: dict[str, Selection] = {
            **EMPTY,
            "name_id": text_id("names", "Bell"),
            "description_id": text_id("descriptions", "Rings."),
            "instructions_id": text_id("instructions", str(NEEDED["instructions"])),
            "color_id": TEAL,
            "icon_id": STAR,
            "department_ids": [LEGAL],
            "voice_ids": [BASS],
        }
        self._is_laid_over(draft_id, {"persona_id": self.persona_id}, persona)

    @rule(days=st.sampled_from((0.5, 1, 45, 89, 89.999, 90, 91)))
    @precondition(lambda self: self.model)
    def time_passes(self, days: float) -> None:
        Drafts.moment += timedelta(days=days)

    @rule()
    def another_environment_takes_over(self) -> None:
        self._restart()

    # ---- What must then be so ----------------------------------------------------------------------------------------

    def _is_told(self, body: Mapping[str, Any], draft: Modelled) -> None:
        assert body["success"] is True
        assert (body["draft_id"], body["new_version"]) == (draft.id, draft.version)
        assert body["form_state"] == draft.form_state

    def _is_laid_over(self, draft_id: str, request: dict[str, object], beneath: Mapping[str, Selection]) -> None:
        draft = self.model[draft_id]
        answer = self.me.call("get", {**request, "draft_id": draft_id})
        if draft.expired(self._now()):
            assert answer.status == 404
            return
        form = _ok(answer)
        assert form["draft_version"] == draft.version
        assert _selected(form) == {**beneath, **draft.patched}
        assert _texts(form) <= {*NAMES, *DESCRIPTIONS, *INSTRUCTIONS, "", *EXAMPLES, *OF_BELL}

    # ---- Time and people ---------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        return Drafts.moment

    def _restart(self) -> None:
        services.cache_clear()
        services().now = services().table.now = self._now

    def _person(self) -> tuple[Client, str]:
        number = next(self.numbers)
        profile = Profile(id=entry_id("profiles", f"drafter {number}"), group_id=GROUP, name="Kim", role="superadmin")
        self.world.profiles.put_profile(profile, (), f"drafter.{number}")
        client = warm_client(self.world, x_api_key=self.world.issue(profile.id))
        return _Ticking(client.headers, client.handlers), profile.id


class _Ticking(Client):
    """A clock by which every call is a second after the one before."""

    def call(self, operation: str, body: object = None, **headers: str) -> Answer:
        Drafts.moment += timedelta(seconds=1)
        return super().call(operation, body, **headers)


def _ok(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    return answer.body


def _as_list(value: Selection) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []


def _selected(form: Mapping[str, Any]) -> dict[str, Selection]:
    """Return the form state that a get answer shows."""

    def one(section: str) -> str | None:
        resource = form[section]["resource"]
        return resource and cast("str", resource["id"])

    def several(section: str, id_name: str = "id") -> list[str]:
        return [resource[id_name] for resource in form[section]["current"]]

    flag = form["flags"]["current"]
    return {
        "name_id": one("names"),
        "description_id": one("descriptions"),
        "instructions_id": one("instructions"),
        "color_id": one("colors"),
        "icon_id": one("icons"),
        "active_flag_id": flag and flag["flag_option_id"],
        "department_ids": several("departments", "department_id"),
        "example_ids": several("examples"),
        "parameter_field_ids": several("parameter_fields"),
        "voice_ids": several("voices"),
    }


def _texts(form: Mapping[str, Any]) -> set[str]:
    """Return the texts that a get answer shows as selected, after a check that each belongs to its id."""
    shown: list[tuple[TextKind, dict[str, Any] | None, str]] = [
        ("names", form["names"]["resource"], "name"),
        ("descriptions", form["descriptions"]["resource"], "description"),
        ("instructions", form["instructions"]["resource"], "template"),
        *(("examples", each, "example") for each in form["examples"]["current"]),
    ]
    for kind, resource, column in shown:
        assert resource is None or resource["id"] == text_id(kind, resource[column])
    return {resource[column] for _, resource, column in shown if resource}


@pytest.fixture
def machine(aws: Aws) -> type[Drafts]:
    """Provide the state machine, over an empty group."""

    class Bound(Drafts):
        world = unguarded_world(aws)

    return Bound


def test_drafts_are_what_a_dict_would_be(machine: type[Drafts]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=25, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )
