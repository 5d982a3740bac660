"""refresh: what it makes of the views, whatever happens to it and beside it."""

import io
import json
import re
import zlib
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from unittest.mock import patch

import pytest

from personas.domain.catalogue import SNAPSHOTS
from personas.errors import Unavailable
from personas.operations.maintenance import left_behind
from personas.operations.refresh import refresh_group
from personas.runtime import utc_now
from personas.search import snapshot_format
from personas.store import keys
from personas.store.attributes import mapping
from personas.store.groups import MARK_COVERS
from personas.views import export_segments, text_usage
from personas.views.export_segments import EXPORT_VIEW
from personas.views.persona_feed import LOOK_BACK
from personas.views.search_views import SEARCH_VIEW
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW
from personas.views.text_columns import SetCounts
from personas.views.text_usage import TextsView
from personas.views.view_objects import label_of, labelled
from personas_tools import library
from personas_tools.library_catalogue import stored_catalogue
from personas_tools.library_file import Library
from personas_tools.library_rows import rows
from support.environments import Environment, Request, Steps, of_the_table, shifted, writes
from support.faults import Killed
from support.views import Views
from support.world import CARE, CLOCKS, GROUP, OTHER_GROUP, Clock, World, fault

ALL = [SEARCH_VIEW, TEXTS_VIEW, EXPORT_VIEW]
BOTH = [SEARCH_VIEW, EXPORT_VIEW]
"""The views that every change of a persona changes."""
MINUTES_3 = timedelta(minutes=3)

pytestmark = pytest.mark.usefixtures("small_directory")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def views(world: World) -> Views:
    return Views(world)


@pytest.fixture
def env(world: World, clock: Clock) -> Environment:
    return Environment(world, clock)


def changed(env: Environment) -> list[str]:
    """Refresh the group; which of ``BOTH`` changed. The texts have tests of their own."""
    return [view for view in env.refresh() if view in BOTH]


def filled(env: Environment, *names: str) -> dict[str, str]:
    """Save personas of these names and refresh; return their ids."""
    ids = {name: env.save(name=name) for name in names}
    env.refresh()
    return ids


class TestRefreshing:
    def test_the_first_one_makes_all_views(self, env: Environment, views: Views) -> None:
        env.save(name="Ada", description="A nurse.", departments=["Care"], voices=["Alto"], examples=["Hi.", "Bye."])
        env.save(name="Bob", active_flag=False)

        answer = env.call("refresh")

        assert answer.body == {"success": True, "refreshed_views": ALL, "invalidated_tags": ["personas", "library"]}
        views.agree()
        assert len(views.table()) == 2
        assert views.objects() == views.needed()

    def test_its_objects_are_named_by_group_view_and_time(self, env: Environment, views: Views) -> None:
        filled(env, "Ada")
        named = {re.sub(r"[0-9a-f]{8}$", "RANDOM", key) for key in views.needed()}
        every = ("personas_search", "personas_texts", "personas_export", "personas_texts_top")
        assert named == {f"views/{GROUP}/{view}/{env.clock():%Y%m%dT%H%M%S}-RANDOM" for view in every}

    def test_a_group_without_personas_has_views_too(self, env: Environment, views: Views) -> None:
        assert env.refresh() == ALL
        views.agree()
        assert env.refresh() == []

    def test_where_nothing_has_changed_it_does_and_says_nothing(
        self, env: Environment, views: Views, clock: Clock
    ) -> None:
        filled(env, "Ada")
        before = (views.record, views.objects())
        clock.passes(hours=1)

        answer = env.call("refresh")

        assert answer.body == {"success": True, "refreshed_views": [], "invalidated_tags": []}
        assert (views.record, views.objects()) == before

    def test_changes_are_taken_into_the_old_views(self, env: Environment, views: Views, clock: Clock) -> None:
        ids = filled(env, *map(str, range(20)))
        clock.passes(minutes=20)
        env.save(name="new")
        env.update(ids["3"], name="changed", instructions="Be new.")
        env.delete(ids["4"])
        clock.passes(minutes=1)

        with env.stepping(Steps()) as steps:
            assert changed(env) == BOTH

        views.agree()
        assert sorted(row["n"] for row in views.indexed().values()) == sorted(
            [*(str(number) for number in range(20) if number not in {3, 4}), "changed", "new"]
        )
        assert len(views.manifest.segments) == 2
        # The feed and the changed personas were read, not the table.
        queries = {request.params.get("IndexName") for request in steps.requests if request.operation == "Query"}
        assert queries == {"changes"}
        (batch,) = [request for request in steps.requests if _reads_personas(request)]
        assert len(batch.params["RequestItems"][env.services.table.name]["Keys"]) == 3

    def test_of_a_small_group_only_the_uses_of_the_changed_are_counted(self, env: Environment) -> None:
        ids = filled(env, "Ada", "Bob")
        env.update(ids["Ada"], name="Ann")
        with patch.object(SetCounts, "of", side_effect=AssertionError):
            assert env.refresh() == ALL

    def test_few_changes_of_the_texts_are_stored_beside_their_columns(
        self, env: Environment, views: Views, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a group that counts as large
        monkeypatch.setattr(text_usage, "LATE_SHARE", 1)
        monkeypatch.setattr(text_usage, "LATE_BYTES_SHARE", 1)
        ids = filled(env, "Ada", "Bob")
        # When one persona has changed
        env.update(ids["Ada"], name="Ann")
        env.refresh()
        # Then the texts view is of the format for that
        version = views.contents(views.pointer(TEXTS_VIEW))[12:14]
        assert int.from_bytes(version, "little") == text_usage.LATE_VERSION

    def test_many_refreshes_after_one_another(
        self, env: Environment, views: Views, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(export_segments, "SEGMENTS_MAX", 3)
        ids = filled(env, *map(str, range(12)))
        merged = set()
        for number in range(8):
            clock.passes(minutes=15)
            if number % 3 == 0:
                env.delete(ids[str(number)])
            else:
                env.update(ids[str(number)], name=f"changed {number}")
            assert changed(env) == BOTH
            views.agree()
            assert views.objects() == views.needed()
            merged.add(len(views.manifest.segments))
        assert merged == {1, 2, 3}

    def test_a_deleted_persona_that_is_made_again(self, env: Environment, views: Views, clock: Clock) -> None:
        ids = filled(env, "Ada")
        env.delete(ids["Ada"])
        clock.passes(minutes=15)
        assert changed(env) == BOTH
        assert views.indexed() == views.exported() == {}
        env.save(id=ids["Ada"], name="Ada again")
        clock.passes(minutes=15)
        assert changed(env) == BOTH
        views.agree()
        assert set(views.exported()) == {ids["Ada"]}

    def test_the_texts_view_and_the_library_are_told_only_when_they_changed(
        self, env: Environment, views: Views
    ) -> None:
        # Given a group that was refreshed, in whose library departments count
        persona_id = env.save(name="Ada", departments=["Care"])
        told = env.call("refresh").body
        assert (told["refreshed_views"], told["invalidated_tags"]) == (ALL, ["personas", "library"])
        texts, offered = views.key(TEXTS_VIEW), views.key(MOST_USED_VIEW)
        # When no text of a persona changes
        for another in ("Plum", "Teal"):
            env.update(persona_id, color=another)
        # Then the view of texts is that of before, and only the personas are told
        told = env.call("refresh").body
        assert (told["refreshed_views"], told["invalidated_tags"]) == (BOTH, ["personas"])
        assert (views.key(TEXTS_VIEW), views.key(MOST_USED_VIEW)) == (texts, offered)
        # When one does, then both are told
        env.update(persona_id, name="Bea")
        told = env.call("refresh").body
        assert (told["refreshed_views"], told["invalidated_tags"]) == (ALL, ["personas", "library"])

    def test_who_uses_a_persona_is_taken_in(self, env: Environment, views: Views, world: World, clock: Clock) -> None:
        ids = filled(env, "Ada")
        clock.passes(minutes=15)
        env.refresh()
        assert not views.marked
        world.cast("Ward", ids["Ada"])
        assert views.marked
        assert changed(env) == BOTH
        views.agree()
        (row,) = views.table_rows().values()
        assert row["as"]

    def test_the_catalogue_alone_changes_no_view(self, env: Environment, world: World) -> None:
        filled(env, "Ada")
        world.settings(name="Another house")
        assert env.refresh() == []

    def test_groups_are_apart(self, env: Environment, world: World, views: Views) -> None:
        filled(env, "Ada")
        env.call("refresh", who="stranger")
        other = Views(world, group=OTHER_GROUP)
        assert other.indexed() == other.exported() == {}
        assert {row["n"] for row in views.indexed().values()} == {"Ada"}

    def test_a_rebuild_that_takes_too_long_is_queued(self, env: Environment, world: World, views: Views) -> None:
        env.save(name="Ada")

        answer = env.call("refresh", remaining_ms=4_000)

        assert fault(answer) == (503, "view_rebuilding")
        assert answer.headers["Retry-After"] == "30"
        assert world.queued() == [GROUP]
        assert views.objects() == set()
        assert views.marked


def _reads_personas(request: Request) -> bool:
    return request.operation == "BatchGetItem" and '"persona#' in str(request.params).replace("'", '"')


# ---- Views that cannot serve ---------------------------------------------------------------------------------------


def _missing(views: Views, key: str) -> None:
    views.remove(key)


def _damaged(views: Views, key: str) -> None:
    content = bytearray(views.content(key))
    content[len(content) // 2] ^= 1
    views.put(key, bytes(content))


def _cut(views: Views, key: str) -> None:
    views.put(key, views.content(key)[:-1])


def _empty(views: Views, key: str) -> None:
    views.put(key, b"")


def _newer(views: Views, key: str) -> None:
    """Give the object an unknown version, whose two bytes follow the magic word and the checksum."""
    (pointer,) = [found for view in (*ALL, MOST_USED_VIEW) if (found := views.pointer(view)).key == key]
    content = bytearray(views.contents(pointer))
    content[12] += 1
    content[8:12] = zlib.crc32(content[12:]).to_bytes(4, "little")
    views.put(key, labelled(label_of(pointer), bytes(content)))


SPOILT = [_missing, _damaged, _cut, _empty, _newer]


class TestSpoilt:
    @pytest.mark.parametrize("spoil", SPOILT)
    @pytest.mark.parametrize("view", [*ALL, MOST_USED_VIEW])
    def test_a_view_that_cannot_serve_is_made_anew(
        self, view: str, spoil: Callable[[Views, str], None], env: Environment, views: Views, clock: Clock
    ) -> None:
        filled(env, "Ada", "Bob")
        clock.passes(minutes=30)
        spoil(views, views.key(view))

        assert changed(env) == BOTH

        views.agree()
        rebuilt = views.record.pointer(SEARCH_VIEW)
        assert rebuilt is not None
        assert rebuilt.rebuilt_at == clock.moment
        assert env.refresh() == []

    @pytest.mark.parametrize("spoil", [_missing, _cut, _empty])
    def test_so_it_is_where_a_segment_is_gone(
        self, spoil: Callable[[Views, str], None], env: Environment, views: Views
    ) -> None:
        filled(env, "Ada", "Bob")
        (segment,) = views.manifest.segments
        spoil(views, segment.key)

        assert changed(env) == BOTH
        views.agree()

    def test_so_it_is_where_the_record_lacks_a_view(self, env: Environment, views: Views) -> None:
        # Given a record that does not name the companion of the texts view
        filled(env, "Ada")
        pointers = mapping(views.record.row, SNAPSHOTS)
        others = {view: pointer for view, pointer in pointers.items() if view != MOST_USED_VIEW}
        env.services.groups.swap(GROUP, views.record, {SNAPSHOTS: others}, "0")
        # When the group is refreshed
        assert env.refresh() == ALL
        # Then it is there again
        assert mapping(views.record.row, SNAPSHOTS).keys() == pointers.keys()

    def test_damage_that_a_merge_meets_is_mended(self, env: Environment, views: Views) -> None:
        ids = filled(env, "Ada", "Bob")
        (segment,) = views.manifest.segments
        _damaged(views, segment.key)
        env.update(ids["Ada"], name="Eve")

        assert changed(env) == BOTH
        views.agree()

    @pytest.mark.parametrize("spoil", SPOILT)
    def test_a_search_reads_the_feed_instead_and_has_the_view_mended(
        self, spoil: Callable[[Views, str], None], env: Environment, views: Views, world: World
    ) -> None:
        filled(env, "Ada", "Bob")
        spoil(views, views.key(SEARCH_VIEW))

        assert Environment(world, env.clock).found() == ["Ada", "Bob"]
        assert world.queued() == [GROUP]

    def test_once_a_week_all_is_read_from_the_table(
        self, env: Environment, views: Views, world: World, clock: Clock
    ) -> None:
        ids = filled(env, "Ada")
        # A change that no feed tells of.
        world.set(keys.persona(GROUP, ids["Ada"]), "seq", 2)
        clock.passes(days=6)
        assert env.refresh() == []

        clock.passes(days=2)
        assert changed(env) == BOTH
        views.agree()
        assert views.objects() == views.needed()
        assert env.refresh() == []

    def test_a_refresh_does_not_put_off_the_rebuild(self, env: Environment, views: Views, clock: Clock) -> None:
        filled(env, "Ada")
        first = views.record.pointer(SEARCH_VIEW)
        clock.passes(days=1)
        env.save(name="Bob")
        env.refresh()
        second = views.record.pointer(SEARCH_VIEW)
        assert first is not None
        assert second is not None
        assert (second.watermark, second.rebuilt_at) == (clock.moment, first.rebuilt_at)


class TestTombstones:
    def test_a_snapshot_that_outlived_them_is_not_used(
        self, env: Environment, views: Views, world: World, clock: Clock
    ) -> None:
        ids = filled(env, "Ada", "Bob")
        clock.passes(days=1)
        env.delete(ids["Bob"])
        clock.passes(days=31)
        # DynamoDB removes what has expired.
        world.aws.dynamodb.delete_item(
            TableName=world.table.name, Key={"pk": {"S": f"group#{GROUP}"}, "sk": {"S": f"persona#{ids['Bob']}"}}
        )

        assert Environment(world, clock).found() == ["Ada"]
        assert changed(env) == BOTH
        views.agree()
        assert Environment(world, clock).found() == ["Ada"]

    def test_an_old_snapshot_of_a_group_at_rest_serves_on(self, env: Environment, world: World, clock: Clock) -> None:
        filled(env, "Ada")
        clock.passes(minutes=15)
        env.refresh()  # takes the mark away
        clock.passes(days=100)

        cold = Environment(world, clock)
        with cold.stepping(Steps()) as steps:
            assert cold.found() == ["Ada"]
        assert [request.key for request in steps.requests if request.operation == "GetObject"]
        assert world.queued() == []

    def test_those_of_before_are_forgotten_with_time(self, env: Environment, views: Views, clock: Clock) -> None:
        ids = filled(env, "Ada", "Bob")
        env.delete(ids["Bob"])
        env.refresh()
        assert (
            len(snapshot_format.decode(views.contents(views.pointer(SEARCH_VIEW))).index.to_columns().tombstones) == 1
        )
        clock.passes(days=31)
        env.save(name="Eve")
        env.refresh()
        assert snapshot_format.decode(views.contents(views.pointer(SEARCH_VIEW))).index.to_columns().tombstones == []

    def test_a_rebuild_takes_up_none_that_is_to_be_forgotten(
        self, env: Environment, views: Views, clock: Clock
    ) -> None:
        # Given a tombstone that views forget after 30 days, and that the table keeps for 395,
        ids = filled(env, "Ada", "Bob")
        env.delete(ids["Bob"])
        clock.passes(days=31)

        assert TEXTS_VIEW in env.refresh()

        texts = TextsView.decode(views.contents(views.pointer(TEXTS_VIEW)))
        assert texts.seq_of(ids["Bob"]) == -1
        assert texts.seq_of(ids["Ada"]) > 0
        views.agree()


# ---- Marks ---------------------------------------------------------------------------------------------------------


class TestMarks:
    def test_a_write_marks_its_group(self, env: Environment, views: Views, world: World) -> None:
        assert not views.marked
        persona_id = env.save()
        assert views.marked
        for write in (
            lambda other: other.update(persona_id, name="Bob"),
            lambda other: other.call("duplicate", {"persona_id": persona_id}),
            lambda other: other.delete(persona_id),
        ):
            env.services.groups.unmark(GROUP, env.clock() + timedelta(days=1))
            write(Environment(world, env.clock))
            assert views.marked

    def test_an_old_mark_goes_and_a_fresh_one_stays(self, env: Environment, views: Views, clock: Clock) -> None:
        env.save()
        clock.passes(seconds=MARK_COVERS.total_seconds())
        env.refresh()
        # As old as a write may be that is under way.
        assert views.marked
        clock.passes(seconds=1)
        assert env.refresh() == []
        assert not views.marked

    def test_a_slow_write_that_goes_by_an_older_mark_is_not_forgotten(
        self, env: Environment, views: Views, world: World, clock: Clock
    ) -> None:
        # Given an environment that has marked the group 59 seconds ago
        persona_id = env.save()
        other = Environment(world, clock)
        clock.passes(seconds=59)

        # When its next write, which makes no mark, takes as long as a call may, and a refresh comes in between
        def be_slow() -> None:
            clock.passes(seconds=16)
            other.refresh()
            clock.passes(seconds=10)

        with env.stepping(Steps.interrupted(0, be_slow, lambda request: request.operation == "UpdateItem")):
            env.update(persona_id, description="Written late.")

        # Then the schedule knows that the group has changed
        assert views.marked

    def test_a_mark_that_comes_late_leaves_a_later_one(
        self, env: Environment, views: Views, world: World, clock: Clock
    ) -> None:
        # Given an environment whose mark is throttled while another one marks the group
        persona_id = env.save()
        env.services.groups.unmark(GROUP, env.clock() + timedelta(days=1))
        throttled, other = Environment(world, clock), Environment(world, clock)

        def mark_meanwhile() -> None:
            clock.passes(seconds=19)
            other.update(persona_id, description="This goes by the later mark.")

        with throttled.stepping(Steps.interrupted(0, mark_meanwhile, lambda request: "due" in str(request.params))):
            throttled.save(name="Bob")

        # When a refresh begins while the other environment still goes by its own mark
        clock.passes(seconds=MARK_COVERS.total_seconds() - 1)
        env.refresh()

        # Then the mark stays
        assert views.marked

    def test_scenarios_that_are_loaded_for_long_are_not_forgotten(
        self, env: Environment, views: Views, clock: Clock
    ) -> None:
        # Given a persona that a scenario is to name
        env.save(name="Ada")
        casting = Library.model_validate({"scenarios": [{"name": "Triage", "personas": ["Ada"]}]})

        # When a refresh takes the mark of the load away before the persona is written
        def be_slow(done: int, total: int) -> None:
            if done == total:
                return
            clock.passes(seconds=MARK_COVERS.total_seconds() + 1)
            env.refresh()
            assert not views.marked

        library.load(env.services.table, GROUP, casting, progress=be_slow)

        # Then the schedule knows that it was written
        assert views.marked

    def test_an_environment_marks_once_a_minute(self, env: Environment, clock: Clock) -> None:
        for number, seconds in enumerate((0, 30, 29, 2, 1, 63)):
            clock.passes(seconds=seconds)
            env.save(name=str(number))
        assert env.services.groups.is_marked(GROUP)
        with env.stepping(Steps()) as steps:
            clock.passes(seconds=1)
            env.save()
            clock.passes(seconds=64)
            env.save()
        marks = [each for each in steps.requests if each.operation == "PutItem" and "due" in str(each.params["Item"])]
        assert len(marks) == 1

    def test_an_environment_that_stood_still_marks_again(self, views: Views, world: World, clock: Clock) -> None:
        # Given an environment that is frozen after a write, its monotonic clock too, until a refresh has come by
        frozen = Environment(world, clock)
        frozen.save(name="Ada")
        clock.moment += timedelta(minutes=10)
        Environment(world, clock).refresh()
        assert not views.marked
        # When it thaws and writes, then the group is marked
        frozen.save(name="Bob")
        assert views.marked

    @pytest.mark.parametrize("frozen", CLOCKS)
    def test_an_environment_marks_again_though_a_clock_stands_still(
        self, frozen: str, env: Environment, views: Views, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given an environment that has marked a group, which has been refreshed since
        clock.replaces_monotonic(monkeypatch)
        env.save(name="Ada")
        env.services.groups.unmark(GROUP, clock.moment + timedelta(seconds=1))
        # When a minute passes by one of its clocks
        clock.passes(frozen, minutes=1)
        env.save(name="Bob")
        # Then
        assert views.marked

    def test_a_write_while_a_refresh_is_under_way_keeps_the_mark(
        self, env: Environment, views: Views, world: World, clock: Clock
    ) -> None:
        filled(env, "Ada")
        clock.passes(minutes=10)
        env.save(name="Bob")
        clock.passes(minutes=10)
        env.refresh()
        assert not views.marked

        for number in range(100):
            clock.passes(minutes=20)
            env.update(env_first(views), description=f"Before {number}.")
            clock.passes(minutes=20)
            writer = Environment(world, clock)

            def write(writer: Environment = writer, number: int = number) -> None:
                clock.passes(seconds=1)
                writer.save(name=f"while {number}")

            with env.stepping(Steps.interrupted(number, write, of_the_table)) as steps:
                env.refresh()
            if number >= steps.met:
                return
            assert views.marked
            clock.passes(minutes=20)
            env.refresh()
            views.agree()
            assert not views.marked
        pytest.fail("a refresh takes fewer requests")

    def test_a_mark_that_cannot_be_taken_away_fails_nothing(self, env: Environment, views: Views, clock: Clock) -> None:
        env.save()
        clock.passes(minutes=10)

        def refuse(_number: int, request: Request) -> None:
            if request.operation == "DeleteItem":
                raise Unavailable("not now")

        with env.stepping(Steps(refuse)):
            assert changed(env) == BOTH
        assert views.marked
        views.agree()

    def test_nor_does_an_object_that_cannot_be_tagged(self, env: Environment, views: Views) -> None:
        ids = filled(env, "Ada", "Bob")
        env.update(ids["Ada"], name="Ann")

        def refuse(_number: int, request: Request) -> None:
            if request.operation == "PutObjectTagging":
                raise Unavailable("not now")

        with env.stepping(Steps(refuse)):
            assert changed(env) == BOTH
        views.agree()
        assert views.objects() > views.needed()


def names_in(views: Views) -> list[str]:
    """Return the names of all personas in the table, as a search sorts them."""
    return sorted(str(row["n"]) for row in views.table_rows().values())


def env_first(views: Views) -> str:
    """Return the id of one of the personas."""
    return min(views.table())


# ---- At once, and cut off ------------------------------------------------------------------------------------------


@pytest.fixture
def changing(env: Environment, clock: Clock) -> Callable[[], None]:
    """Return a function that makes changes of every kind, others at each call."""
    numbers = count()
    made: list[str] = []

    def change() -> None:
        number = next(numbers)
        if number % 2:
            made.append(env.save(name=f"new {number}"))
        else:
            env.delete(made.pop(0)) if len(made) > 2 else made.append(env.save(name=f"more {number}"))
        clock.passes(minutes=1)
        env.update(made[-1], name=f"changed {number}", departments=["Care"])
        clock.passes(minutes=4)

    return change


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no refresh wait for another: all of these run in one thread."""
    monkeypatch.setattr("personas.operations.refresh.PATIENCE", timedelta())


@pytest.mark.usefixtures("impatient")
class TestTwoAtOnce:
    @pytest.mark.slow
    def test_at_every_step(
        self, env: Environment, world: World, views: Views, clock: Clock, changing: Callable[[], None]
    ) -> None:
        """Before each request that writes: the second one does not see what the first one has only read."""
        filled(env, *map(str, range(9)))
        other = Environment(world, clock)
        for number in range(100):
            changing()
            told: list[str] = []

            def refresh(told: list[str] = told) -> None:
                told += other.refresh()

            with env.stepping(Steps.interrupted(number, refresh, writes)) as steps:
                told += env.refresh()

            # The one says it, or the other, whoever was first.
            assert [view for view in told if view in BOTH] == BOTH
            views.agree()
            assert views.objects() == views.needed()
            assert Environment(world, clock).found() == names_in(views)
            if number >= steps.met:
                return
        pytest.fail("a refresh takes fewer requests")

    def test_the_later_one_leaves_no_object(
        self, env: Environment, world: World, views: Views, clock: Clock, changing: Callable[[], None]
    ) -> None:
        # Given a group that another environment refreshes while one is about to write its first object
        filled(env, "Ada")
        changing()
        other = Environment(world, clock)
        with env.stepping(Steps.interrupted(0, other.refresh, lambda request: request.operation == "PutObject")):
            told = env.refresh()
        # Then that one has swapped in nothing, and what it wrote is superseded.
        assert told == []
        assert views.objects() == views.needed()

    @pytest.mark.slow
    def test_with_a_change_between_them(
        self, env: Environment, world: World, views: Views, clock: Clock, changing: Callable[[], None]
    ) -> None:
        """The second one knows more. Whoever wins, what the winner lacks is in the feed, and in the next refresh."""
        filled(env, *map(str, range(9)))
        other = Environment(world, clock)
        for number in range(100):
            changing()

            def change_and_refresh(number: int = number) -> None:
                other.save(name=f"between {number}")
                clock.passes(seconds=1)
                other.refresh()

            with env.stepping(Steps.interrupted(number, change_and_refresh, of_the_table)) as steps:
                env.refresh()
            assert views.indexed(with_feed=True) == views.table_rows()
            assert Environment(world, clock).found() == names_in(views)
            clock.passes(minutes=5)
            env.refresh()
            views.agree()
            assert views.objects() == views.needed()
            if number >= steps.met:
                return
        pytest.fail("a refresh takes fewer requests")

    def test_while_the_library_is_loaded(
        self, env: Environment, world: World, views: Views, clock: Clock, changing: Callable[[], None]
    ) -> None:
        filled(env, "Ada")
        for number in range(100):
            changing()

            def load(number: int = number) -> None:
                world.settings(name=f"House {number}")

            with env.stepping(Steps.interrupted(number, load, of_the_table)) as steps:
                assert changed(env) == BOTH
            if number >= steps.met:
                return
            assert views.record.row["name"] == f"House {number}"
            views.agree()
        pytest.fail("a refresh takes fewer requests")

    def test_between_the_reading_and_the_writing_of_the_library(
        self, env: Environment, world: World, views: Views, clock: Clock
    ) -> None:
        """The loader knows the group's record from before the refresh."""
        ids = filled(env, "Ada")
        stored = stored_catalogue(world.table, GROUP)
        env.update(ids["Ada"], name="Ann")
        clock.passes(minutes=5)
        env.refresh()
        pointers = views.record.row["snapshots"]

        file = Library.model_validate({"settings": {"name": "House"}, "departments": [{"name": "New"}]})
        for entry in rows(file, GROUP, stored=stored):
            world.resources.put(GROUP, entry, entry.id)

        assert views.record.row["name"] == "House"
        assert views.record.row["snapshots"] == pointers
        views.agree()

    def test_a_library_that_changes_nothing_says_so_beside_views(self, env: Environment, world: World) -> None:
        world.settings()
        filled(env, "Ada")
        report = library.load(world.table, GROUP, Library.model_validate({"settings": {"name": "House"}}))
        assert not report.changed


@pytest.mark.usefixtures("impatient")
class TestCutOff:
    @pytest.mark.slow
    @pytest.mark.parametrize("rebuilding", [False, True], ids=["following", "rebuilding"])
    def test_at_every_step(
        self,
        *,
        rebuilding: bool,
        env: Environment,
        world: World,
        views: Views,
        clock: Clock,
        changing: Callable[[], None],
    ) -> None:
        """Searches are right at once after a refresh that was cut off, and the next refresh makes good views.

        Reads leave nothing behind: to end before each write is to end at every step.
        """
        filled(env, *map(str, range(9)))
        for number in range(100):
            changing()
            if rebuilding:
                clock.passes(days=8)
                views.expire()
                env.update(env_first(views), description=f"Once more {number}.")
            dying = Environment(world, clock)
            ended = False
            with dying.stepping(Steps.ending(number, writes)) as steps:
                try:
                    dying.work("refresh", lambda services: refresh_group(services, GROUP))
                except Killed:
                    ended = True
            names = names_in(views)
            assert env.found() == names
            assert Environment(world, clock).found() == names
            assert views.indexed(with_feed=True) == views.table_rows()

            clock.passes(minutes=1)
            Environment(world, clock).refresh()
            views.agree()
            assert not [key for key in views.needed() if views.superseded(key)]
            if not ended:
                assert number >= steps.met
                return
        pytest.fail("a refresh takes fewer requests")

    def test_what_it_left_is_superseded_by_the_weekly_rebuild(
        self, env: Environment, clock: Clock, views: Views
    ) -> None:
        env.save(name="Ada")
        env.refresh()
        lost = [f"views/{GROUP}/{view}/20260101T000000-12345678" for view in (TEXTS_VIEW, EXPORT_VIEW)]
        other = "views/another/personas_texts/20260101T000000-12345678"
        for key in (*lost, other):
            views.put(key, b"x")

        clock.passes(days=6)
        env.save(name="Bea")
        env.refresh()
        assert not any(map(views.superseded, lost))
        clock.passes(days=2)
        env.save(name="Cy")
        env.refresh()
        assert all(map(views.superseded, lost))
        assert not views.superseded(other)
        for view in (*ALL, MOST_USED_VIEW):
            assert not views.superseded(views.key(view))
        assert env.call("get", {"descriptions_search": "x"}).status == 200

    def test_an_object_of_the_last_day_may_be_of_a_refresh_under_way(self, env: Environment, views: Views) -> None:
        # Given an object that nobody needs, which S3 has just got
        key = f"views/{GROUP}/personas_texts/20260101T000000-12345678"
        views.put(key, b"x")

        def found_after(hours: int) -> set[str]:
            return left_behind(env.services, GROUP, (), utc_now() + timedelta(hours=hours))

        # When less than a day has passed, or more
        # Then it is found after that day alone
        assert (found_after(23), found_after(25)) == (set(), {key})


# ---- Clocks --------------------------------------------------------------------------------------------------------


class TestClocks:
    """A writer's clock is three minutes fast or slow; the others' are right."""

    def test_a_fast_writer_hides_nothing(self, env: Environment, world: World, clock: Clock, views: Views) -> None:
        filled(env, "Ada", "Bob")
        warm = Environment(world, clock)
        fast = Environment(world, shifted(clock, MINUTES_3))
        warm.found()
        names = {"Ada", "Bob"}
        for number in range(6):
            clock.passes(minutes=1)
            fast.save(name=f"fast {number}")
            names.add(f"fast {number}")
            assert set(warm.found()) == set(Environment(world, clock).found()) == names
            # Others write the same again, with an earlier time.
            persona_id = next(each for each, row in views.table_rows().items() if row["n"] == f"fast {number}")
            clock.passes(seconds=1)
            env.update(persona_id, name=f"right {number}")
            names = names - {f"fast {number}"} | {f"right {number}"}
            assert set(warm.found()) == set(Environment(world, clock).found()) == names
            if number % 2:
                env.refresh()
                views.agree()
                assert set(warm.found()) == set(Environment(world, clock).found()) == names
                fast.delete(persona_id)
                names.remove(f"right {number}")
                assert set(warm.found()) == set(Environment(world, clock).found()) == names

    def test_a_slow_writer_hides_nothing_for_longer_than_the_next_refresh(
        self, env: Environment, world: World, clock: Clock, views: Views
    ) -> None:
        ids = filled(env, "Ada", "Bob", "Eve")
        warm = Environment(world, clock)
        slow = Environment(world, shifted(clock, -MINUTES_3))
        clock.passes(hours=1)
        warm.found()
        clock.passes(minutes=1)
        slow.save(name="slow")
        slow.update(ids["Ada"], name="Ann")
        slow.delete(ids["Bob"])
        names = ["Ann", "Eve", "slow"]
        # A cold one looks back from the snapshot, a warm one only as far as the window reaches.
        assert Environment(world, clock).found() == names
        assert warm.found() == ["Ada", "Bob", "Eve"]

        clock.passes(minutes=10)
        assert changed(env) == BOTH

        views.agree()
        assert warm.found() == Environment(world, clock).found() == names

    def test_nor_where_it_writes_while_a_refresh_is_under_way(
        self, env: Environment, world: World, clock: Clock, views: Views
    ) -> None:
        ids = filled(env, "Ada")
        warm = Environment(world, clock)
        slow = Environment(world, shifted(clock, -MINUTES_3))
        names = {"Ada"}
        for number in range(100):
            clock.passes(minutes=20)
            env.update(ids["Ada"], description=f"{number}.")
            clock.passes(minutes=1)
            warm.found()

            def write(number: int = number) -> None:
                slow.save(name=f"slow {number}")
                names.add(f"slow {number}")
                warm.found()

            with env.stepping(Steps.interrupted(number, write, of_the_table)) as steps:
                env.refresh()
            if number >= steps.met:
                return
            assert set(Environment(world, clock).found()) == names
            clock.passes(minutes=9)
            env.refresh()
            assert set(warm.found()) == set(Environment(world, clock).found()) == names
            views.agree()
        pytest.fail("a refresh takes fewer requests")

    def test_a_warm_view_that_slept_misses_nothing(self, env: Environment, world: World, clock: Clock) -> None:
        """Frozen for longer than a refresh looks back, while others wrote and refreshed."""
        ids = filled(env, "Ada", "Bob")
        warm = Environment(world, clock)
        warm.found()
        clock.passes(minutes=5)
        env.update(ids["Ada"], name="Ann")
        env.delete(ids["Bob"])
        clock.passes(minutes=20)
        env.refresh()
        clock.passes(seconds=LOOK_BACK.total_seconds() * 2)

        assert warm.found() == ["Ann"]

    @pytest.mark.parametrize("by", [MINUTES_3, -MINUTES_3])
    def test_the_clock_of_a_refresh_may_be_wrong_too(
        self, by: timedelta, env: Environment, world: World, clock: Clock, views: Views
    ) -> None:
        filled(env, "Ada")
        wrong = Environment(world, shifted(clock, by))
        warm = Environment(world, clock)
        for number in range(4):
            clock.passes(minutes=2)
            env.save(name=f"B{number}", departments=[] if number % 2 else ["Care"])
            wrong.refresh()
            views.agree()
            env.save(name=f"C{number}", department_ids=[CARE])
            expected = names_in(views)
            assert warm.found() == Environment(world, clock).found() == expected


# ---- The log -------------------------------------------------------------------------------------------------------


class TestLog:
    """The lines about what a refresh has left undone, and about what it could not use."""

    @pytest.fixture
    def warned(self, logged: io.StringIO) -> Callable[[], list[tuple[object, ...]]]:
        """Return a function that returns message, group, key and reason of each warning."""

        def read() -> list[tuple[object, ...]]:
            lines = [json.loads(line) for line in logged.getvalue().splitlines()]
            names = ("message", "group", "key", "reason")
            return [tuple(map(each.get, names)) for each in lines if each["level"] == "WARNING"]

        return read

    @staticmethod
    def refusing(operation: str) -> Steps:
        """Return steps in which AWS takes no such request."""

        def refuse(_number: int, request: Request) -> None:
            if request.operation == operation:
                raise Unavailable("not now")

        return Steps(refuse)

    def test_names_a_group_that_stays_marked(
        self, env: Environment, clock: Clock, warned: Callable[[], list[tuple[object, ...]]]
    ) -> None:
        env.save()
        clock.passes(minutes=10)
        with env.stepping(self.refusing("DeleteItem")):
            env.refresh()
        assert ("a group stays marked", GROUP, None, None) in warned()

    def test_names_an_object_that_stays_behind(
        self, env: Environment, views: Views, warned: Callable[[], list[tuple[object, ...]]]
    ) -> None:
        ids = filled(env, "Ada")
        search = views.key(SEARCH_VIEW)
        env.update(ids["Ada"], name="Ann")
        with env.stepping(self.refusing("PutObjectTagging")):
            env.refresh()
        assert ("an object stays behind", GROUP, search, None) in warned()

    def test_names_an_export_view_that_lacks_a_segment(
        self, env: Environment, views: Views, warned: Callable[[], list[tuple[object, ...]]]
    ) -> None:
        filled(env, "Ada")
        manifest = views.key(EXPORT_VIEW)
        _missing(views, views.manifest.segments[0].key)
        env.refresh()
        assert warned() == [("the export view lacks a segment", GROUP, manifest, None)]

    @pytest.mark.parametrize(
        ("spoil", "message", "reason"),
        [
            (_missing, "a snapshot is missing", None),
            (lambda views, key: views.put(key, b"?"), "a snapshot cannot be used", "these bytes have no label"),
        ],
    )
    def test_names_a_view_that_cannot_serve(
        self,
        spoil: Callable[[Views, str], None],
        message: str,
        reason: str | None,
        env: Environment,
        views: Views,
        warned: Callable[[], list[tuple[object, ...]]],
    ) -> None:
        filled(env, "Ada")
        manifest = views.key(EXPORT_VIEW)
        spoil(views, manifest)
        env.refresh()
        assert warned() == [(message, GROUP, manifest, reason)]

    def test_tells_the_damage_that_a_merge_has_met(
        self, env: Environment, views: Views, warned: Callable[[], list[tuple[object, ...]]]
    ) -> None:
        ids = filled(env, "Ada")
        key = views.manifest.segments[0].key
        _damaged(views, key)
        env.update(ids["Ada"], name="Ann")
        env.refresh()
        reason = f"the checksum of a block of {key} is not that of its contents"
        assert warned() == [("a view cannot be used", GROUP, None, reason)]

    def test_tells_why_the_upkeep_is_not_done(
        self, env: Environment, clock: Clock, warned: Callable[[], list[tuple[object, ...]]]
    ) -> None:
        filled(env, "Ada")
        clock.passes(days=8)
        with env.stepping(self.refusing("ListObjectsV2")):
            env.refresh()
        assert warned() == [("the upkeep of a group is not done", GROUP, None, "not now")]
