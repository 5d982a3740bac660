"""Tests of the write rule, under any faults of the network and any writes of others.

A write takes effect once or not at all, and its writer is answered truly.
"""

from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final, NamedTuple
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personas.domain.persona import Form, Persona
from personas.domain.text import identified
from personas.errors import OutcomeUnknown
from personas.services import services
from personas.store import keys
from personas.store.attempts import ConditionFailed
from personas.store.change_feed import Change
from personas.store.personas import PersonaStore, Stored
from personas.store.write_rule import RECENT_WRITES_MAX, WriteResult, version_written_by
from support.client import Client
from support.faults import (
    Faults,
    Outcome,
    Waiting,
    closed,
    lost_after,
    lost_as_500,
    lost_before,
    passed,
    preceded,
    refused,
    then,
    throttled,
    timed_out,
    to,
    unreachable,
)
from support.warm import unguarded_world, warm_client
from support.world import GROUP, NEEDED, STAR, TEAL, World, entry_id, result, secret_of


class Fate(Enum):
    """The fate of one attempt: its request arrives or not, and so does its answer."""

    TIMED_OUT_AFTER = (lost_after(timed_out()), True)
    CLOSED_AFTER = (lost_after(closed()), True)
    ANSWERED_500_AFTER = (lost_as_500, True)
    TIMED_OUT_BEFORE = (lost_before(timed_out()), False)
    UNREACHABLE = (lost_before(unreachable()), False)
    THROTTLED = (throttled, False)
    ANSWERED_500 = (refused("InternalServerError", 500), False)

    def __init__(self, outcome: Outcome, arrives: bool) -> None:
        self.outcome = outcome
        self.arrives = arrives

    @property
    def unsure(self) -> bool:
        """Tell whether the writer cannot know that it did not arrive."""
        return self not in {Fate.UNREACHABLE, Fate.THROTTLED}


class Move(Enum):
    """A move of somebody else on the persona.

    A deleted persona permits only one: to make it again.
    """

    RENAME = "rename"
    DELETE = "delete"


class Attempt(NamedTuple):
    """An attempt that is not answered, and the moves of others before the next one."""

    fate: Fate
    moves: list[Move]


class Kind(Enum):
    """A write of ours to a persona that it finds.

    If it finds a tombstone, it makes the persona again.
    """

    UPDATE = "update"
    DELETE = "delete"
    CAST = "cast"


class Step(NamedTuple):
    """One write: it is decided on what is read, then others move, then it is attempted until an answer comes."""

    kind: Kind
    moves: list[Move]
    attempts: list[Attempt]


moves = st.lists(st.sampled_from(Move), max_size=2)
# A crowd moves more often between two attempts than an item's recent writes remember.
crowds = st.lists(st.sampled_from(Move), min_size=RECENT_WRITES_MAX - 2, max_size=RECENT_WRITES_MAX + 2)
attempts = st.lists(st.builds(Attempt, st.sampled_from(Fate), moves | crowds), max_size=3)
steps = st.builds(Step, st.sampled_from(Kind), st.just([]) | moves, attempts)


def scenario(tag: str) -> str:
    """Return the id of the scenario that a write names."""
    return entry_id("scenarios", tag)


@dataclass
class Setting:
    """One persona, our writer whose requests meet their fates, and others whose requests go through."""

    world: World
    faults: Faults
    persona_id: str
    ours: PersonaStore
    group: str = GROUP
    written: int = 0

    def persona(self, name: str) -> Persona:
        return Persona(
            id=self.persona_id,
            form=Form(
                name=identified(secret_of(self.group), "names", name),
                instructions=identified(secret_of(self.group), "instructions", "Ask."),
                color_id=TEAL,
                icon_id=STAR,
            ),
            created_at="2026-11-24T12:00:00+00:00",
            updated_at="2026-11-24T12:00:00+00:00",
        )

    def stored(self) -> Stored:
        found = self.world.personas.get(self.group, self.persona_id)
        assert found is not None
        return found

    def begin(self) -> None:
        self.world.personas.insert(self.group, self.persona("The first"), "others.0")

    def others_move(self, made: list[Move]) -> None:
        """Let somebody else read and write without a fault."""
        for move in made:
            self.written += 1
            write_id, stored = f"others.{self.written}", self.stored()
            persona = self.persona(f"Theirs {self.written}")
            if stored.persona is None:
                self.world.personas.insert(self.group, persona, write_id, stored)
            elif move is Move.RENAME:
                self.world.personas.update(self.group, persona, write_id, stored)
            else:
                self.world.personas.delete(self.group, self.persona_id, write_id, stored)

    def we_write(self, kind: Kind, based_on: Stored, tag: str) -> WriteResult:
        """Make one write of ours, decided on what was read."""
        if based_on.persona is None:
            return self.ours.insert(self.group, self.persona(tag), tag, based_on)
        if kind is Kind.UPDATE:
            return self.ours.update(self.group, self.persona(tag), tag, based_on)
        if kind is Kind.DELETE:
            return self.ours.delete(self.group, self.persona_id, tag, based_on)
        return self.ours.cast(
            self.group, self.persona_id, [scenario(tag)], [], tag, seq=based_on.seq, version=based_on.version
        )

    def feed(self) -> list[Change]:
        key = keys.persona(self.group, self.persona_id)
        changes = self.world.table.changes(key.pk, keys.PERSONA_CHANGES, None)
        return [change for change in changes if change.key == key.sk]


world = pytest.fixture(unguarded_world)


@pytest.fixture
def faults(world: World, waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults.installed(monkeypatch)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(steps, min_size=1, max_size=3))
def test_a_write_takes_effect_once_or_not_at_all_and_the_writer_is_told_which_or_that_nobody_knows(
    world: World, faults: Faults, plan: list[Step]
) -> None:
    setting = Setting(world, faults, str(uuid4()), services().personas, group=str(uuid4()))
    faults.clear()
    setting.begin()
    for number, step in enumerate(plan):
        # Given what our writer has read, and what others do between that and its first attempt
        tag, read = f"Ours {number}", setting.stored()
        setting.others_move(step.moves)
        faults.plan(
            lambda sent: sent.operation in {"PutItem", "UpdateItem"},
            *(then(attempt.fate.outcome, partial(setting.others_move, attempt.moves)) for attempt in step.attempts),
        )
        # When it writes
        told: WriteResult | None = None
        unknown = False
        try:
            told = setting.we_write(step.kind, read, tag)
        except ConditionFailed:
            pass
        except OutcomeUnknown:
            unknown = True
        assert faults.pending == 0

        # Then the outcome is unknown exactly if an answer was lost that the recent writes reach back to no more
        before, after = moves_around_the_effect(step)
        stored = setting.stored()
        ours = 0 if before else 1
        unsure = any(attempt.fate.unsure for attempt in step.attempts)
        assert unknown == (unsure and before + after + ours > RECENT_WRITES_MAX)
        # and otherwise it lost the race exactly if somebody was there before its first attempt that arrived
        assert unknown or (told is None) == bool(before)
        # and there are as many writes as were made, each once
        assert stored.seq == read.seq + before + after + ours
        # and its answer is the version that it made
        is_cast = step.kind is Kind.CAST and read.persona is not None
        assert told is None or told.version == read.version + (0 if is_cast else 1)
        assert stored.version == read.version + before + after + (0 if is_cast else ours)
        # and what stands there is what the last of all writers left
        if not after and ours:
            assert is_ours(stored, step.kind, read, tag)
        else:
            assert not is_ours(stored, Kind.UPDATE, read, tag)
        # and the feed shows that, once
        assert [(change.seq, change.deleted) for change in setting.feed()] == [(stored.seq, stored.persona is None)]


def moves_around_the_effect(step: Step) -> tuple[int, int]:
    """Count the moves of others before our first attempt that arrived, and those after it."""
    before, after, arrived = len(step.moves), 0, False
    for attempt in step.attempts:
        arrived = arrived or attempt.fate.arrives
        if arrived:
            after += len(attempt.moves)
        else:
            before += len(attempt.moves)
    return before, after


def is_ours(stored: Stored, kind: Kind, read: Stored, tag: str) -> bool:
    """Return True if our write is the last one of this item."""
    if read.persona is not None and kind is Kind.DELETE:
        return stored.persona is None
    if stored.persona is None:
        return False
    if read.persona is not None and kind is Kind.CAST:
        return stored.persona.scenario_ids == (scenario(tag),)
    return stored.persona.name.text == tag


UPDATE: Final = to("UpdateItem", "persona#")


class TestLostRaces:
    """Tests of writes that read and decide again, as long as there is time."""

    PERSONA_ID: Final = "0d6c1a52-5f0b-4b5e-8d0a-2f3f6f1f0a01"

    @pytest.fixture
    def client(self, world: World, faults: Faults) -> Client:
        client = warm_client(world)
        answer = client.call("create", {"personas": [{**NEEDED, "id": self.PERSONA_ID}]})
        assert answer.status == 200
        return client

    @pytest.fixture
    def setting(self, world: World, faults: Faults, client: Client) -> Setting:
        return Setting(world, faults, self.PERSONA_ID, services().personas)

    @pytest.mark.parametrize("races", [0, 1, 2, 3, 20])
    def test_are_made_good(self, client: Client, faults: Faults, setting: Setting, races: int) -> None:
        rename = partial(setting.others_move, [Move.RENAME])
        faults.plan(UPDATE, *[preceded(rename, passed)] * races)
        answer = client.call("update", {"personas": [{"persona_id": self.PERSONA_ID, "voices": ["Alto"]}]})
        assert result(answer)["version"] == 2 + races

    def test_what_others_saved_stays(self, client: Client, faults: Faults, setting: Setting) -> None:
        faults.plan(UPDATE, preceded(partial(setting.others_move, [Move.RENAME]), passed))
        client.call("update", {"personas": [{"persona_id": self.PERSONA_ID, "description": "Mine"}]})
        persona = setting.stored().persona
        assert persona is not None
        assert persona.form.description is not None
        assert (persona.name.text, persona.form.description.text) == ("Theirs 1", "Mine")

    def test_of_which_there_is_no_end_are_a_conflict_when_the_time_is_over_and_nothing_is_saved(
        self, client: Client, faults: Faults, setting: Setting
    ) -> None:
        faults.always(UPDATE, preceded(partial(setting.others_move, [Move.RENAME]), passed))
        answer = client.call("update", {"personas": [{"persona_id": self.PERSONA_ID, "description": "Mine"}]})
        assert (answer.status, answer.body["code"]) == (409, "contended")
        assert "Retry-After" in answer.headers
        persona = setting.stored().persona
        assert persona is not None
        assert (persona.form.description, persona.version) == (None, 1 + setting.written)

    def test_are_waited_out_with_jitter_after_the_first(
        self, client: Client, faults: Faults, setting: Setting, waiting: Waiting
    ) -> None:
        slept: list[float] = []

        def rename() -> None:
            slept.append(waiting.slept)
            setting.others_move([Move.RENAME])

        faults.plan(UPDATE, *[preceded(rename, passed)] * 3)
        client.call("update", {"personas": [{"persona_id": self.PERSONA_ID, "description": "Mine"}]})
        first, second, third = slept
        assert first == second < third

    def test_an_expected_version_is_checked_again_at_once(
        self, client: Client, faults: Faults, setting: Setting, waiting: Waiting
    ) -> None:
        faults.plan(UPDATE, preceded(partial(setting.others_move, [Move.RENAME]), passed))
        change = {"persona_id": self.PERSONA_ID, "description": "Mine", "expected_version": 1}
        answer = client.call("update", {"personas": [change]})
        assert (answer.status, answer.body["code"], answer.body["current_version"]) == (409, "version_conflict", 2)
        assert waiting.slept == 0

    def test_an_active_scenario_that_came_in_between_is_seen(
        self, client: Client, faults: Faults, setting: Setting
    ) -> None:
        def cast() -> None:
            read = setting.stored()
            setting.ours.cast(
                GROUP, self.PERSONA_ID, [scenario("s")], [scenario("s")], "cast", seq=read.seq, version=read.version
            )

        faults.plan(UPDATE, preceded(cast, passed))
        answer = client.call("delete", {"persona_ids": [self.PERSONA_ID]})
        assert (answer.status, answer.body["code"]) == (403, "in_use")

    def test_a_persona_that_is_gone_is_not_found(self, client: Client, faults: Faults, setting: Setting) -> None:
        faults.plan(UPDATE, preceded(partial(setting.others_move, [Move.DELETE]), passed))
        answer = client.call("update", {"personas": [{"persona_id": self.PERSONA_ID, "description": "Mine"}]})
        assert answer.status == 404

    def test_an_id_that_was_taken_in_between_is_taken(self, client: Client, faults: Faults, setting: Setting) -> None:
        setting = Setting(setting.world, faults, str(uuid4()), setting.ours)
        faults.plan(to("PutItem", "persona#"), preceded(setting.begin, passed))
        answer = client.call("create", {"personas": [{**NEEDED, "id": setting.persona_id}]})
        assert (answer.status, answer.body["code"]) == (409, "id_taken")

    def test_a_tombstone_that_was_left_in_between_is_taken_over(
        self, client: Client, faults: Faults, setting: Setting
    ) -> None:
        setting = Setting(setting.world, faults, str(uuid4()), setting.ours)

        def made_and_deleted() -> None:
            setting.begin()
            setting.others_move([Move.DELETE])

        faults.plan(to("PutItem", "persona#"), preceded(made_and_deleted, passed))
        answer = client.call("create", {"personas": [{**NEEDED, "id": setting.persona_id}]})
        assert result(answer)["version"] == 3


def test_a_write_is_remembered_for_as_many_writes_as_the_trail_is_long(world: World, faults: Faults) -> None:
    setting = Setting(world, faults, str(uuid4()), services().personas)
    setting.begin()
    for remembered in range(RECENT_WRITES_MAX):
        assert version_written_by(setting.stored().item, "others.0") == 1, remembered
        setting.others_move([Move.RENAME])
    assert version_written_by(setting.stored().item, "others.0") is None


@pytest.mark.parametrize("fate", [Fate.TIMED_OUT_AFTER, Fate.CLOSED_AFTER, Fate.ANSWERED_500_AFTER])
def test_a_lost_answer_is_looked_for_at_once(world: World, faults: Faults, waiting: Waiting, fate: Fate) -> None:
    setting = Setting(world, faults, str(uuid4()), services().personas)
    setting.begin()
    faults.plan(UPDATE, fate.outcome)
    assert setting.ours.update(GROUP, setting.persona("Ours"), "ours", setting.stored()).version == 2
    assert waiting.slept == 0
