"""drafts: the caller's own drafts, as the contract states it."""

from datetime import timedelta

import pytest

from personas.domain.draft import Draft
from personas.runtime import Deadline
from personas.store import keys
from personas.store.drafts import DraftStore
from personas.store.table import Table
from support.world import (
    ACTIVE,
    ALTO,
    BASS,
    CARE,
    GROUP,
    HEART,
    MOOD_CALM,
    NOBODY,
    PEOPLE,
    PLUM,
    Clock,
    World,
    entry_id,
    text_id,
)


def listed(world: World, who: str = "root") -> list[str]:
    return [each["id"] for each in world.client(who).call("drafts").body["entries"]]


def written(world: World, clock: Clock, number: int) -> list[str]:
    """Store drafts of root, each a second after the one before; by the store, since so many calls would take long."""
    store = DraftStore(Table(world.aws.dynamodb, world.table.name, clock, Deadline()))
    ids = [entry_id("drafts", str(position)) for position in range(number)]
    for draft_id in ids:
        now = clock.moment.isoformat()
        draft = Draft(id=draft_id, version=1, fields={}, mcp=False, session_id=NOBODY, created_at=now, updated_at=now)
        store.create(GROUP, PEOPLE["root"].id, draft, f"written.{draft_id}")
        clock.moment += timedelta(seconds=1)
    return ids


class TestEntries:
    def test_none_is_an_empty_list(self, world: World) -> None:
        answer = world.client("root").call("drafts")

        assert (answer.status, answer.body) == (200, {"entries": []})

    def test_single_selections_are_lists_of_one(self, world: World, clock: Clock) -> None:
        begun = world.client("root").call(
            "draft",
            {
                "name": "Ada",
                "description": "A nurse.",
                "instructions": "Be brief.",
                "examples": ["Hello.", "Good bye."],
                "color_id": PLUM,
                "icon_id": HEART,
                "flag_id": ACTIVE,
                "department_ids": [CARE],
                "parameter_field_ids": [MOOD_CALM],
                "voice_ids": [BASS, ALTO],
            },
        )

        (entry,) = world.client("root").call("drafts").body["entries"]

        assert entry == {
            "id": begun.body["draft_id"],
            "version": 1,
            "created_at": clock.moment.isoformat(),
            "generated": False,
            "mcp": False,
            "active": True,
            "group_id": GROUP,
            "session_id": entry["session_id"],
            "name_ids": [text_id("names", "Ada")],
            "description_ids": [text_id("descriptions", "A nurse.")],
            "instruction_ids": [text_id("instructions", "Be brief.")],
            "color_ids": [PLUM],
            "icon_ids": [HEART],
            "flag_ids": [ACTIVE],
            "department_ids": [CARE],
            "parameter_field_ids": [MOOD_CALM],
            "example_ids": [text_id("examples", "Hello."), text_id("examples", "Good bye.")],
            "voice_ids": [BASS, ALTO],
            "profile_ids": [PEOPLE["root"].id],
        }

    def test_what_is_not_selected_is_a_list_of_none(self, world: World) -> None:
        world.draft()

        (entry,) = world.client("root").call("drafts").body["entries"]

        lists = [value for name, value in entry.items() if name.endswith("_ids") and name != "profile_ids"]
        assert lists == [[]] * 10

    def test_what_was_cleared_is_a_list_of_none(self, world: World) -> None:
        draft_id = world.draft(name="Ada", voice_ids=[ALTO])
        world.client("root").call(
            "draft", {"input_draft_id": draft_id, "expected_version": 1, "name": None, "voice_ids": []}
        )

        (entry,) = world.client("root").call("drafts").body["entries"]

        assert (entry["version"], entry["name_ids"], entry["voice_ids"]) == (2, [], [])

    def test_the_first_writers_provenance_stays(self, world: World) -> None:
        begun = world.client("root", X_MCP="yes").call("draft", {"name": "Ada"})
        world.client("root").call(
            "draft", {"input_draft_id": begun.body["draft_id"], "expected_version": 1, "name": "Bo"}
        )

        (entry,) = world.client("root").call("drafts").body["entries"]

        assert entry["mcp"] is True

    def test_a_session_is_one_credential(self, world: World) -> None:
        world.draft("root")
        world.draft("root")
        other = world.anyone(X_Api_Key=world.issue(PEOPLE["root"].id))
        other.call("draft", {})

        sessions = [each["session_id"] for each in world.client("root").call("drafts").body["entries"]]

        assert sessions[1] == sessions[2]
        assert sessions[0] != sessions[1]


class TestOrder:
    def test_the_latest_written_comes_first(self, world: World, clock: Clock) -> None:
        drafts = []
        for name in ("One", "Two", "Three"):
            drafts.append(world.draft(name=name))
            clock.moment += timedelta(seconds=1)
        one, two, three = drafts
        world.client("root").call("draft", {"input_draft_id": one, "expected_version": 1, "name": "One again"})

        assert listed(world) == [one, three, two]

    def test_at_most_200_and_those_are_the_latest(self, world: World, clock: Clock) -> None:
        drafts = written(world, clock, 203)

        assert listed(world) == drafts[:2:-1]


class TestWhose:
    def test_only_the_callers_own(self, world: World) -> None:
        own = world.draft("coach", name="Mine")
        world.draft("root", name="Not mine")
        world.draft("admin", name="Not mine")

        assert listed(world, "coach") == [own]

    def test_not_those_of_another_group(self, world: World) -> None:
        world.draft("root", name="Ada")

        assert listed(world, "stranger") == []

    def test_a_role_that_only_reads_may_ask(self, world: World) -> None:
        assert listed(world, "learner") == []


class TestExpiry:
    def test_an_expired_one_is_gone(self, world: World) -> None:
        kept, gone = world.draft(name="Kept"), world.draft(name="Gone")
        world.set(keys.draft(GROUP, PEOPLE["root"].id, gone), "expires_at", 1)

        assert listed(world) == [kept]

    def test_from_the_moment_it_expires(self, world: World, clock: Clock) -> None:
        draft_id = world.draft(name="Ada")
        clock.moment += timedelta(days=90, seconds=-1)
        assert listed(world) == [draft_id]

        clock.moment += timedelta(seconds=1)

        assert listed(world) == []

    def test_expired_ones_do_not_take_the_place_of_others(self, world: World, clock: Clock) -> None:
        kept, *others = written(world, clock, 206)
        for draft_id in others:
            world.set(keys.draft(GROUP, PEOPLE["root"].id, draft_id), "expires_at", 1)

        assert listed(world) == [kept]


class TestTolerance:
    @pytest.mark.parametrize("body", [None, {}, {"group_id": NOBODY}, {"anything": ["goes", {"here": 1}]}])
    def test_what_is_sent_is_passed_over(self, world: World, body: object) -> None:
        draft_id = world.draft(name="Ada")

        answer = world.client("root").call("drafts", body)

        assert answer.status == 200
        assert [each["id"] for each in answer.body["entries"]] == [draft_id]

    @pytest.mark.parametrize("body", ["{", "[]", "nonsense"])
    def test_no_body_is_read(self, world: World, body: str) -> None:
        assert world.client("root").call("drafts", body, Content_Type="text/plain").status == 200
