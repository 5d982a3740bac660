"""Tests of whole objects in the place of others: nothing foreign is listed, nothing lost, a refresh repairs it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from personas.domain.catalogue import Pointer
from personas.views.export_segments import EXPORT_VIEW
from personas.views.persona_feed import LOOK_BACK
from personas.views.search_views import SEARCH_VIEW
from support.environments import Environment
from support.exported import cells, content
from support.stored import Backend, Held
from support.swapped import SWAPS, VIEWS, Place
from support.views import Views
from support.world import GROUP, OTHER_GROUP, Clock, World, color, icon

OWN = ["Ada", "Bob", "Eve"]
"""The group's personas: of the first refresh, of the second, and of no refresh yet."""


class Begun(NamedTuple):
    """The state that every test begins with, its time, and the pointers before it and of the other group."""

    held: Held
    moment: datetime
    older: Mapping[str, Pointer]
    foreign: Mapping[str, Pointer]


@pytest.fixture(scope="module")
def begun() -> list[Begun]:
    """Provide room for that state, which the first test makes."""
    return []


@pytest.fixture
def places(world: World, clock: Clock, begun: list[Begun]) -> dict[str, Place]:
    """Provide the views of a group of three personas."""
    if not begun:
        begun.append(begin(world, clock))
    held, clock.moment, older, foreign = begun[0]
    Backend(world.aws).put_back(held)
    return {view: Place(world, Views(world), view, older[view], foreign[view]) for view in VIEWS}


def begin(world: World, clock: Clock) -> Begun:
    world.add("colors", "Teal", color("Teal", "#16818A"), OTHER_GROUP)
    world.add("icons", "Star", icon("Star", "star"), OTHER_GROUP)
    env, views, others = Environment(world, clock), Views(world), Views(world, OTHER_GROUP)
    env.save(name="Ada", description="About Ada.")
    env.refresh()
    older = {view: views.pointer(view) for view in VIEWS}
    clock.moment += timedelta(hours=2)
    env.save(name="Bob", description="About Bob.")
    env.save("stranger", name="Olga", description="About Olga.")
    clock.moment += 2 * LOOK_BACK  # further than the feed is read behind the watermark of a snapshot
    env.refresh()
    assert env.call("refresh", who="stranger").status == 200
    foreign = {view: others.pointer(view) for view in VIEWS}
    clock.moment += timedelta(hours=2)
    env.save(name="Eve", description="About Eve.")
    return Begun(Backend(world.aws).held(), clock.moment, older, foreign)


def described(env: Environment) -> list[str]:
    """Return the descriptions that a form finds."""
    answer = env.call("get", {"descriptions_search": "about"})
    assert answer.status == 200, answer.text
    return sorted(each["description"] for each in answer.body["descriptions"]["resources"])


def about(names: Iterable[str]) -> list[str]:
    return [f"About {name}." for name in names]


def exported(env: Environment) -> list[str]:
    """Return the names in an export."""
    answer = env.call("export")
    assert answer.status == 200, answer.text
    return sorted(row["name"] for row in cells(content(env.world, answer)))


def test_the_state_that_is_put_back_is_that_which_was_held(
    places: Mapping[str, Place], world: World, begun: list[Begun]
) -> None:
    # Given the state that every test begins with, in which objects are superseded,
    held = begun[0].held.objects
    assert any(superseded for _, superseded in held.values())
    # when it is put back after its objects have gone,
    for key in held:
        world.aws.s3.delete_object(Bucket=world.aws.names["Bucket"], Key=key)
    Backend(world.aws).put_back(begun[0].held)
    # then these objects are superseded again, and no others.
    assert Backend(world.aws).held().objects == held


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("view", VIEWS)
def test_what_is_not_due_is_not_believed(
    view: str, swap: str, places: Mapping[str, Place], world: World, clock: Clock
) -> None:
    # When
    SWAPS[swap](places[view])

    # Then
    assert Environment(world, clock).found() == OWN
    assert exported(Environment(world, clock)) == OWN
    assert set(described(Environment(world, clock))) <= set(about(OWN))
    Environment(world, clock).refresh()
    Views(world, GROUP).agree()
    after = Environment(world, clock)
    assert (after.found(), exported(after), described(after)) == (OWN, OWN, about(OWN))


@pytest.mark.parametrize("other", ["older", "foreign"])
def test_nor_is_a_segment(other: str, places: Mapping[str, Place], world: World, clock: Clock) -> None:
    # Given
    place = places[EXPORT_VIEW]
    (due,) = place.views.manifest.segments
    (segment,) = place.views.manifest_at(getattr(place, other)).segments

    # When
    place.views.put(due.key, place.views.content(segment.key))

    # Then
    assert exported(Environment(world, clock)) == OWN
    Environment(world, clock).refresh()
    Views(world).agree()


def test_a_warm_environment_goes_on_with_what_it_holds(places: Mapping[str, Place], world: World, clock: Clock) -> None:
    env = Environment(world, clock)
    assert env.found() == OWN
    places[SEARCH_VIEW].put(places[SEARCH_VIEW].foreign)
    assert env.found() == OWN
