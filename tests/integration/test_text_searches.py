"""get: searches for texts find those of now, whatever the last refresh has seen."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import pytest

from personas.errors import Unavailable
from personas.runtime import FEED_WINDOW
from personas.store import keys
from personas.views.persona_feed import LOOK_BACK
from personas.views.search_views import SEARCH_VIEW
from personas.views.suggestion_views import MOST_USED_VIEW, PAUSE, TEXTS_VIEW
from personas.views.view_objects import ViewObjectStore
from support.environments import Environment, Steps, of_the_table, refusing, shifted
from support.views import Views
from support.world import GROUP, Clock, World, fault

EVERYBODY: Final = ("root", "admin", "coach", "seller", "loner", "learner", "stranger")
MANY: Final = {"descriptions_search": "e", "instructions_search": "e"}


@pytest.fixture
def env(world: World, clock: Clock) -> Environment:
    """Provide the environment that gets; it stays warm."""
    return Environment(world, clock)


@pytest.fixture
def writer(world: World, clock: Clock) -> Environment:
    """Provide another environment, which writes and refreshes."""
    return Environment(world, clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def got(env: Environment, who: str = "root", **body: object) -> dict[str, Any]:
    answer = env.call("get", body, who=who)
    assert answer.status == 200, answer.text
    return answer.body


def found(env: Environment, search: str, who: str = "root") -> list[str]:
    """Return the descriptions, then the instructions that a search for both offers."""
    answer = got(env, who, descriptions_search=search, instructions_search=search)
    descriptions = [each["description"] for each in answer["descriptions"]["resources"]]
    return descriptions + [each["template"] for each in answer["instructions"]["resources"]]


def finders(env: Environment, search: str) -> list[str]:
    """Return those of everybody who find something."""
    return [who for who in EVERYBODY if found(env, search, who)]


@contextmanager
def without_s3(world: World) -> Iterator[None]:
    """Put S3 out of reach."""

    def out_of_reach(*_: object) -> None:
        raise Unavailable("S3 is out of reach.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ViewObjectStore, "read", out_of_reach)
        yield


class TestTheLastWrite:
    @pytest.mark.parametrize("refreshed", [True, False])
    @pytest.mark.parametrize("warm", [True, False])
    def test_what_was_just_written_is_found(
        self, refreshed: bool, warm: bool, env: Environment, writer: Environment
    ) -> None:
        # Given
        ada = writer.save(description="Old tale.", instructions="Old way.")
        bea = writer.save(description="Other tale.")
        if refreshed:
            writer.refresh()
        if warm:
            assert found(env, "old") == ["Old tale.", "Old way."]
        # When personas are created, changed, deleted and created again by others,
        writer.save(description="Fresh tale.", instructions="Fresh way.")
        writer.update(ada, description="Changed tale.", instructions="Changed way.")
        writer.delete(bea)
        # then each is found by what it has now.
        assert found(env, "fresh") == ["Fresh tale.", "Fresh way."]
        assert found(env, "changed") == ["Changed tale.", "Changed way."]
        assert found(env, "old") == found(env, "other") == []
        writer.save(id=bea, description="Revived tale.")
        assert found(env, "revived") == ["Revived tale."]

    @pytest.mark.parametrize("refreshed", [True, False])
    def test_only_who_may_see_the_persona_finds_it(
        self, refreshed: bool, env: Environment, writer: Environment
    ) -> None:
        writer.save(description="Known to all.")
        if refreshed:
            writer.refresh()
        assert finders(env, "known") == ["root", "admin", "coach", "seller", "loner", "learner"]

        persona_id = writer.save(description="A fresh secret.", instructions="Keep it secret.", departments=["Care"])
        assert finders(env, "secret") == ["root", "admin", "coach", "learner"]

        writer.update(persona_id, departments=["Sales"])
        assert finders(env, "secret") == ["root", "admin", "seller"]

    def test_uses_of_before_and_after_the_refresh_count_together(self, env: Environment, writer: Environment) -> None:
        for description in ("Tale A.", "Tale A.", "Tale B."):
            writer.save(description=description)
        writer.refresh()
        assert found(env, "tale") == ["Tale A.", "Tale B."]
        for description in ("Tale B.", "Tale B.", "Tale C.", "Tale 0."):
            writer.save(description=description)
        assert found(env, "tale") == ["Tale B.", "Tale A.", "Tale 0.", "Tale C."]

    def test_a_text_that_only_a_draft_uses_is_found_by_nobody(self, env: Environment, writer: Environment) -> None:
        writer.save()
        assert writer.call("draft", {"description": "A fresh draft.", "instructions": "Fresh."}).status == 200
        assert finders(env, "fresh") == []

    def test_its_id_can_be_sent_back(self, env: Environment, writer: Environment) -> None:
        writer.save(description="A fresh tale.")
        (offered,) = got(env, descriptions_search="fresh")["descriptions"]["resources"]
        persona_id = writer.save("seller", departments=["Sales"], description_id=offered["id"])
        assert got(env, persona_id=persona_id)["descriptions"]["resource"] == offered

    def test_what_else_is_offered_stays_as_of_the_last_refresh(self, env: Environment, writer: Environment) -> None:
        persona_id = writer.save(description="First.", instructions="Begin.")
        assert got(env, persona_id=persona_id, **MANY)["names"]["suggestions"] != []
        writer.refresh()
        before = got(env)
        writer.save(name="Bea", description="Second.")
        after = got(env, **MANY)
        assert after["names"] == before["names"]
        assert after["descriptions"]["suggestions"] == [] == after["examples"]["suggestions"]
        assert got(env) == before


class TestRefreshes:
    def test_a_view_that_is_held_goes_on_over_refreshes(
        self, env: Environment, writer: Environment, clock: Clock
    ) -> None:
        ada = writer.save(description="Tale 0.")
        writer.refresh()
        assert found(env, "tale") == ["Tale 0."]
        for number in range(1, 4):
            writer.update(ada, description=f"Tale {number}.")
            clock.moment += FEED_WINDOW * 2
            writer.refresh()
            clock.moment += LOOK_BACK * 2
            assert found(env, "tale") == [f"Tale {number}."]

    def test_a_refresh_that_leaves_the_texts_as_they_are_hides_nothing(
        self, env: Environment, writer: Environment, clock: Clock, world: World
    ) -> None:
        # Given a texts view that is older than the last refresh
        ada = writer.save(description="Tale A.")
        writer.refresh()
        texts = Views(world).key(TEXTS_VIEW)
        clock.moment += LOOK_BACK * 2
        for color in ("Plum", "Teal"):
            writer.update(ada, color=color)
        assert writer.refresh() == [SEARCH_VIEW, "personas_export"]
        assert Views(world).key(TEXTS_VIEW) == texts
        # When a text is written right after it
        writer.save(description="Tale B.")
        # Then it is found beside the others.
        assert found(env, "tale") == ["Tale A.", "Tale B."]

    def test_beside_a_loaded_view_no_more_is_read_than_since_shortly_before_it(
        self, env: Environment, writer: Environment, clock: Clock
    ) -> None:
        # Given a group that was refreshed an hour ago
        writer.save(description="Tale.")
        writer.refresh()
        refreshed_at = clock.moment
        clock.moment += LOOK_BACK * 4
        # When an environment searches that does not hold it
        with env.stepping(Steps()) as steps:
            found(env, "tale")
        # Then it reads the feed as from a quarter of an hour before
        since, _ = keys.range_of(keys.PERSONA_CHANGES, refreshed_at - LOOK_BACK)
        assert sum(since in str(each.params) for each in steps.requests) == 1

    def test_after_a_refresh_no_more_is_read_than_since_the_one_before(
        self, env: Environment, writer: Environment, clock: Clock
    ) -> None:
        # Given a view that has learnt of a refresh
        ada = writer.save(description="Tale 0.")
        writer.refresh()
        found(env, "tale")
        for number in (1, 2):
            learnt_at = clock.moment
            clock.moment += LOOK_BACK * 4
            writer.update(ada, description=f"Tale {number}.")
            writer.refresh()
            # When it learns of the next one
            with env.stepping(Steps()) as steps:
                found(env, "tale")
            # Then it looks back a little further than to that
            since, _ = keys.range_of(keys.PERSONA_CHANGES, learnt_at - LOOK_BACK)
            queries = [str(each.params) for each in steps.requests if each.operation == "Query"]
            assert sum(since in each for each in queries) == 1

    def test_what_a_slow_clock_hid_is_found_after_the_next_refresh(
        self, env: Environment, writer: Environment, clock: Clock, world: World
    ) -> None:
        slow = Environment(world, shifted(clock, -LOOK_BACK / 3))
        writer.save(description="Tale A.")
        writer.refresh()
        assert found(env, "tale") == ["Tale A."]
        clock.moment += FEED_WINDOW * 2
        slow.save(description="Tale B.")
        writer.refresh()
        assert found(env, "tale") == found(Environment(world, clock), "tale") == ["Tale A.", "Tale B."]

    def test_a_view_of_the_future_is_not_believed(
        self, env: Environment, writer: Environment, clock: Clock, world: World
    ) -> None:
        writer.save(description="Tale A.")
        Environment(world, shifted(clock, LOOK_BACK * 4)).refresh()
        writer.save(description="Tale B.")
        assert found(env, "tale") == ["Tale A.", "Tale B."]

    @pytest.mark.parametrize("how", ["missing", "damaged"])
    def test_a_view_that_cannot_be_used_is_done_without(
        self, how: str, env: Environment, writer: Environment, world: World
    ) -> None:
        writer.save(description="Tale A.")
        writer.refresh()
        views = Views(world)
        key = views.key(TEXTS_VIEW)
        if how == "missing":
            views.remove(key)
        else:
            views.put(key, views.content(key)[:-1])
        writer.save(description="Tale B.")
        assert found(env, "tale") == ["Tale A.", "Tale B."]

    def test_without_s3_the_feed_is_enough(self, env: Environment, writer: Environment, world: World) -> None:
        writer.save(description="Tale A.")
        writer.refresh()
        writer.save(description="Tale B.")
        with without_s3(world):
            assert found(env, "tale") == ["Tale A.", "Tale B."]
            writer.save(description="Tale C.")
            assert found(env, "tale") == ["Tale A.", "Tale B.", "Tale C."]
        assert found(env, "tale") == ["Tale A.", "Tale B.", "Tale C."]


class TestFaults:
    def test_s3_is_left_alone_for_half_a_minute(
        self, env: Environment, writer: Environment, world: World, clock: Clock
    ) -> None:
        def offered() -> list[str]:
            return [each["description"] for each in got(env)["descriptions"]["resources"]]

        # Given
        writer.save(description="Tale A.")
        writer.refresh()
        # When S3 fails once, then it is not asked again, frozen or not,
        with without_s3(world):
            assert offered() == []
        clock.moment += PAUSE - timedelta(seconds=1)
        assert offered() == []
        # until the time is over
        clock.moment += timedelta(seconds=1)
        assert offered() == ["Tale A."]

    def test_the_log_tells_why_a_form_offers_nothing(
        self, env: Environment, writer: Environment, world: World, logged: io.StringIO
    ) -> None:
        writer.save(description="Tale A.")
        writer.refresh()

        with without_s3(world):
            got(env)

        (warning,) = [each for each in map(json.loads, logged.getvalue().splitlines()) if each["level"] == "WARNING"]
        assert warning["message"] == "a form offers only what is selected"
        assert (warning["key"], warning["reason"]) == (Views(world).key(MOST_USED_VIEW), "S3 is out of reach.")

    def test_a_group_that_cannot_be_read_in_time_is_queued(
        self, env: Environment, writer: Environment, world: World
    ) -> None:
        writer.save(description="Tale A.")

        answer = env.call("get", {"descriptions_search": "tale"}, remaining_ms=4_000)

        assert fault(answer) == (503, "view_rebuilding")
        assert world.queued() == [GROUP]
        assert env.call("get", remaining_ms=4_000).status == 200
        assert found(env, "tale") == ["Tale A."]

    @pytest.mark.parametrize(("written", "queued"), [(2, False), (3, True)])
    def test_a_group_with_more_changes_than_a_search_is_to_read_is_queued(
        self,
        written: int,
        queued: bool,
        env: Environment,
        writer: Environment,
        world: World,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Given a group of which more was written since its refresh, or as much as a search may read each time
        monkeypatch.setattr("personas.views.text_views.FEED_BOUND", 2)
        writer.refresh()
        for _ in range(written):
            writer.save(description="Tale.")
        # When an environment searches that does not hold it
        assert found(env, "tale") == ["Tale."]
        # Then it has the group refreshed where they were more
        assert world.queued() == ([GROUP] if queued else [])

    def test_what_could_not_be_read_is_read_by_the_next_search(
        self, env: Environment, writer: Environment, clock: Clock
    ) -> None:
        writer.save(description="Tale A.")
        assert found(env, "tale") == ["Tale A."]
        writer.save(description="Tale B.")
        with refusing("BatchGetItem"):
            answer = env.call("get", MANY, remaining_ms=5_500)
            assert fault(answer) == (503, "unavailable")
        clock.moment += FEED_WINDOW * 2
        assert found(env, "tale") == ["Tale A.", "Tale B."]

    def test_a_persona_that_cannot_be_read_is_left_out(
        self, env: Environment, writer: Environment, world: World
    ) -> None:
        ada, _ = writer.save(description="Tale A."), writer.save(description="Tale B.")
        assert found(env, "tale") == ["Tale A.", "Tale B."]
        writer.update(ada, description="Tale C.")
        world.aws.dynamodb.update_item(
            TableName=world.table.name,
            Key={name: {"S": value} for name, value in keys.persona(GROUP, ada).attributes().items()},
            UpdateExpression="SET texts = :none",
            ExpressionAttributeValues={":none": {"B": b"?"}},
        )
        assert found(env, "tale") == found(Environment(world), "tale") == ["Tale B."]

    def test_what_is_written_while_it_is_read_is_not_lost(
        self, env: Environment, writer: Environment, clock: Clock
    ) -> None:
        ada = writer.save(description="Tale 0.")
        writer.refresh()
        number = 0
        while True:
            clock.moment += FEED_WINDOW * 2

            def write(number: int = number) -> None:
                writer.update(ada, description=f"Tale {number + 1}.")
                writer.save(description=f"New tale {number}.")

            writer.update(ada, instructions=f"Way {number}.")
            with env.stepping(Steps.interrupted(number, write, of_the_table)) as steps:
                found(env, "tale")
            if number >= steps.met:
                return
            number += 1
            assert found(env, "tale") == sorted([f"Tale {number}.", *(f"New tale {each}." for each in range(number))])


class TestMemory:
    def test_what_has_been_dropped_is_found_again(
        self, env: Environment, writer: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(env.services.suggestions, "_budget_bytes", 0)
        for number in range(3):
            writer.save(description=f"Tale {number}.")
            assert found(env, "tale", "stranger") == []
            assert found(env, "tale") == [f"Tale {each}." for each in range(number + 1)]
            assert len(env.services.suggestions._texts) == 1

    def test_no_more_is_let_go_than_must_be(
        self, env: Environment, writer: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given what four groups of one weight use most, of which this one's is offered again
        writer.save(description="Tale.")
        writer.refresh()
        got(env)
        held = env.services.suggestions._most_used
        for other in ("first", "second", "third"):
            held[other] = held[GROUP]
        # When there is room for two
        monkeypatch.setattr(env.services.suggestions, "_budget_bytes", 2 * held[GROUP].size_bytes)
        got(env)
        # Then two stay
        assert list(held) == ["third", GROUP]

    def test_what_was_used_last_stays(
        self, env: Environment, writer: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given two groups that are held, of which the one that was loaded first was searched again
        writer.save(description="Tale.")
        for who in ("root", "stranger"):
            assert writer.call("refresh", who=who).status == 200
        for who in ("root", "stranger", "root"):
            found(env, "tale", who)
        # When there is room for one only
        suggestions = env.services.suggestions
        monkeypatch.setattr(suggestions, "_budget_bytes", 0)
        found(env, "tale")
        # Then the other one goes, with all its objects
        assert (list(suggestions._most_used), list(suggestions._texts._cached)) == ([GROUP], [GROUP])

    def test_what_is_held_is_weighed(self, env: Environment, writer: Environment) -> None:
        found(env, "tale")
        empty = env.services.suggestions._texts.size_bytes
        writer.save(description="Tale.", instructions="x" * 10_000)
        found(env, "tale")
        assert env.services.suggestions._texts.size_bytes > empty + 10_000
