"""get: what a form offers once a refresh has been by."""

from typing import Any
from unittest.mock import patch

import pytest

from personas.contract.views import SEARCH
from personas.domain.catalogue import TEXT_IDS, Catalogue
from personas.runtime import utc_now
from personas.store.attributes import Value
from personas.views import most_used
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW, SuggestionViews
from personas.views.text_views import TextViews
from support.environments import Environment, Steps
from support.views import Views
from support.world import (
    ACTIVE,
    ALTO,
    CARE,
    GROUP,
    MOOD,
    MOOD_ANGRY,
    MOOD_CALM,
    PLUM,
    SALES,
    STAR,
    TEAL,
    Clock,
    World,
    caller_of,
    color,
    secret_of,
    text_id,
)

VALUE = {"names": "name", "descriptions": "description", "instructions": "template", "examples": "example"}


@pytest.fixture
def env(world: World) -> Environment:
    """Provide an environment that saves and refreshes, by a clock that stands still."""
    return Environment(world, Clock(utc_now()))


def options(answer: dict[str, Any], kind: str) -> list[str]:
    """Return the texts that a section offers, in its order."""
    return [each[VALUE[kind]] for each in answer[kind]["resources"]]


def get(env: Environment, who: str = "root", **body: object) -> dict[str, Any]:
    """Return the form that an environment offers which has held nothing yet."""
    answer = Environment(env.world, env.clock).call("get", body, who=who)
    assert answer.status == 200, answer.text
    return answer.body


def refresh(env: Environment) -> tuple[list[str], list[str]]:
    """Refresh, and return the names of the refreshed views and of the invalidated tags."""
    answer = env.call("refresh")
    assert answer.status == 200, answer.text
    return answer.body["refreshed_views"], answer.body["invalidated_tags"]


def test_before_a_refresh_a_form_offers_what_is_selected(env: Environment) -> None:
    persona_id = env.save(name="Ada", examples=["Hm."])
    env.save(name="Bea")
    blank, answer = get(env), get(env, persona_id=persona_id)
    assert options(blank, "names") == []
    assert not blank["examples"]["show"]
    assert options(answer, "names") == ["Ada"]
    assert answer["names"]["suggestions"] == [text_id("names", "Ada")]
    assert options(answer, "examples") == ["Hm."]


def test_texts_are_offered_by_their_use_as_far_as_the_caller_may_see_it(env: Environment) -> None:
    for name, departments in (("Zoe", []), ("Zoe", ["Care"]), ("Ada", ["Sales"]), ("Bea", ["Care", "Sales"])):
        env.save(name=name, departments=departments, description=f"of {name}", examples=["Hm.", f"I am {name}."])
    env.refresh()
    assert options(get(env), "names") == ["Zoe", "Ada", "Bea"]
    assert options(get(env, "coach"), "names") == ["Zoe", "Bea"]
    assert options(get(env, "seller"), "names") == ["Ada", "Bea", "Zoe"]
    assert options(get(env, "seller"), "descriptions") == ["of Ada", "of Bea", "of Zoe"]
    assert options(get(env, "coach"), "examples") == ["Hm.", "I am Zoe.", "I am Bea."]
    answer = get(env, "coach")
    assert answer["examples"]["show"]
    assert answer["examples"]["current"] == []
    assert answer["names"]["suggestions"] == [text_id("names", "Zoe"), text_id("names", "Bea")]


def test_what_is_selected_is_always_among_the_options(env: Environment) -> None:
    for number in range(0, 120, 40):
        items = [
            {"name": f"{each:03}", "color": "Teal", "icon": "Star", "instructions": "Ask."}
            for each in range(number, number + 40)
        ]
        assert env.call("create", {"personas": items}).status == 200
    env.refresh()
    late = env.save(name="later")
    last = env.call("search", {"search": "119"}).body["personas"][0]["persona_id"]
    assert options(get(env), "names") == [f"{each:03}" for each in range(100)]
    assert options(get(env, persona_id=last), "names") == ["119", *(f"{each:03}" for each in range(99))]
    assert options(get(env, persona_id=late), "names") == ["later", *(f"{each:03}" for each in range(99))]


def test_a_text_that_only_a_draft_uses_is_offered_to_nobody(env: Environment) -> None:
    env.save(name="Ada")
    draft = env.call("draft", {"name": "Mine"}).body["draft_id"]
    env.refresh()
    assert options(get(env), "names") == ["Ada"]
    assert options(get(env, draft_id=draft), "names") == ["Mine", "Ada"]


def test_a_search_looks_through_all_texts_of_the_group(env: Environment) -> None:
    first = {"color": "Teal", "icon": "Star", "instructions": "Ask.", "name": "Ada"}
    env.call("create", {"personas": [{**first, "description": f"A {each:03}"} for each in range(100)]})
    rare = {"description": "Zebra 100% STRASSE", "instructions": "Be a_b."}
    env.save(**rare, departments=["Care"])
    persona_id = env.save(description="Other", instructions="Ask.", departments=["Care"])
    env.refresh()
    assert "Zebra 100% STRASSE" not in options(get(env), "descriptions")
    for search in ("zebra", "0% S", "straße"):
        assert options(get(env, descriptions_search=search), "descriptions") == [rare["description"]]
        assert options(get(env, "coach", descriptions_search=search), "descriptions") == [rare["description"]]
        assert options(get(env, "seller", descriptions_search=search), "descriptions") == []
    assert options(get(env, descriptions_search="1%0"), "descriptions") == []
    assert options(get(env, descriptions_search="A 0"), "descriptions") == [f"A {each:03}" for each in range(100)]
    assert options(get(env, instructions_search="A_B"), "instructions") == ["Be a_b."]
    assert options(get(env, instructions_search="ASK"), "instructions") == ["Ask."]
    chosen = get(env, persona_id=persona_id, descriptions_search="zebra")
    assert options(chosen, "descriptions") == ["Other", rare["description"]]
    assert chosen["descriptions"]["suggestions"] == []
    assert get(env)["descriptions"]["suggestions"][0] == text_id("descriptions", "A 000")


def test_a_search_finds_no_text_of_another_department(env: Environment) -> None:
    env.save(instructions="Merger with Initech.", description="Merger.", departments=["Sales"])
    env.refresh()
    searches = {"instructions_search": "merger", "descriptions_search": "merger"}

    coach, seller = (get(env, who, **searches) for who in ("coach", "seller"))

    assert (options(coach, "instructions"), options(coach, "descriptions")) == ([], [])
    assert (options(seller, "instructions"), options(seller, "descriptions")) == (["Merger with Initech."], ["Merger."])


def test_suggestions_are_the_most_used_of_what_can_be_chosen(env: Environment, world: World) -> None:
    env.save(color="Plum", departments=["Care"], parameter_fields=["Mood: Calm"], voices=["Alto"], active_flag=True)
    env.save(color="Plum", departments=["Care", "Sales"], parameter_fields=["Angry"], active_flag=True)
    env.save(color="Teal", departments=["Sales"], parameter_fields=["Angry"])
    grey = world.add("colors", "Grey", color("Grey", "#808080"))
    env.save(color="Grey", departments=["Sales"])
    env.save(color="Grey", departments=["Sales"])
    world.add("colors", "Grey", {**color("Grey", "#808080"), "active": False})
    env.refresh()
    expected = {
        "root": ([PLUM, TEAL], [SALES, CARE], [MOOD_ANGRY, MOOD_CALM]),
        "coach": ([PLUM], [CARE], sorted([MOOD_ANGRY, MOOD_CALM])),
        "seller": (sorted([PLUM, TEAL]), [SALES], [MOOD_ANGRY]),
    }
    for who, (colors, departments, fields) in expected.items():
        answer = get(env, who)
        assert answer["colors"]["suggestions"] == colors
        assert answer["departments"]["suggestions"] == departments
        assert answer["parameter_fields"]["suggestions"] == fields
        assert answer["parameters"]["suggestions"] == [MOOD]
        assert answer["icons"]["suggestions"] == [STAR]
        assert answer["flags"]["suggestions"] == [ACTIVE]
        assert answer["voices"]["suggestions"] == ([] if who == "seller" else [ALTO])
    assert grey not in get(env)["colors"]["suggestions"]


def test_suggestions_are_twenty_at_most(env: Environment) -> None:
    first = {"color": "Teal", "icon": "Star", "instructions": "Ask."}
    env.call("create", {"personas": [{**first, "name": f"A {each:03}"} for each in range(30)]})
    env.refresh()
    assert get(env)["names"]["suggestions"] == [text_id("names", f"A {each:03}") for each in range(20)]


def test_a_section_holds_one_megabyte(env: Environment) -> None:
    long = [f"{each:02}" + "ü" * 31_998 for each in range(20)]
    ids = [env.save(instructions=each) for each in long]
    env.refresh()
    assert options(get(env), "instructions") == long[:15]
    assert options(get(env, persona_id=ids[-1]), "instructions") == [long[-1], *long[:14]]
    assert options(get(env, instructions_search="19ü"), "instructions") == [long[19]]


def test_every_id_that_is_offered_can_be_sent_back(world: World) -> None:
    clock = Clock(utc_now())
    env = Environment(world, clock)
    env.save(name="Ada", description="One", examples=["Hm."])
    env.refresh()
    clock.passes(days=29)
    answer = get(env)
    sent = {
        "name_id": answer["names"]["suggestions"][0],
        "description_id": answer["descriptions"]["resources"][0]["id"],
        "instructions_id": answer["instructions"]["resources"][0]["id"],
        "example_ids": [answer["examples"]["resources"][0]["id"]],
        "color_id": answer["colors"]["suggestions"][0],
    }
    assert env.call("draft", sent).status == 200


def test_a_warm_get_takes_one_request_and_a_new_pointer_one_more(env: Environment) -> None:
    # Given an environment that has answered once since the refresh
    env.save(name="Ada", description="One")
    env.refresh()
    warm = Environment(env.world, env.clock)
    warm.call("get")

    def asked(*bodies: dict[str, object]) -> list[str]:
        with warm.stepping(Steps()) as steps:
            for body in bodies:
                assert warm.call("get", body).status == 200
        return [request.operation for request in steps.requests]

    assert asked({}) == ["Query"]
    search = {"descriptions_search": "o"}
    assert asked(search, search) == ["Query", "GetObject", "Query", "Query", "Query"]

    # When there is a later refresh, and it has answered once since
    env.save(name="Bea")
    env.refresh()
    answer = warm.call("get")

    # Then it has what is new, and takes one request again
    assert options(answer.body, "names") == ["Ada", "Bea"]
    assert asked({}) == ["Query"]


def test_a_changed_text_is_offered_and_that_of_a_deleted_persona_is_not(env: Environment) -> None:
    persona_id = env.save(name="Ada")
    env.refresh()
    env.update(persona_id, name="Bea")
    env.refresh()
    assert options(get(env), "names") == ["Bea"]
    env.delete(persona_id)
    env.refresh()
    assert options(get(env), "names") == []
    assert get(env)["names"]["suggestions"] == []


@pytest.mark.parametrize("view", [TEXTS_VIEW, MOST_USED_VIEW])
@pytest.mark.parametrize("how", ["missing", "damaged", "unknown"])
def test_a_view_that_cannot_be_used_is_made_anew(env: Environment, world: World, view: str, how: str) -> None:
    persona_id = env.save(name="Ada", description="One")
    env.refresh()
    stored = Views(world)
    key = stored.key(view)
    content = stored.content(key)
    if how == "missing":
        stored.remove(key)
    else:
        stored.put(key, content[:-1] if how == "damaged" else b"PERSONAS" + content[8:])
    answer = get(env, persona_id=persona_id, descriptions_search="o")
    assert options(answer, "descriptions") == ["One"]
    assert TEXTS_VIEW in env.refresh()
    assert options(get(env, descriptions_search="o"), "descriptions") == ["One"]


def test_a_view_of_another_format_is_made_anew(env: Environment) -> None:
    env.save(name="Ada")
    with patch.object(most_used, "FORMAT_VERSION", 7):
        env.refresh()
    assert options(get(env), "names") == []
    assert refresh(env)[1] == ["personas", "library"]
    assert options(get(env), "names") == ["Ada"]


def test_what_is_held_is_bounded_by_bytes(env: Environment) -> None:
    env.save(name="Ada", description="One")
    env.refresh()
    services = env.services
    view_objects, side_by_side = services.view_objects, services.parallel
    texts = TextViews(services.persona_feed, services.personas, side_by_side)
    views = SuggestionViews(lambda: view_objects, texts, side_by_side, env.clock, budget_bytes=1)
    record = services.groups.read(GROUP)

    def moved(group_id: str, view: str) -> dict[str, Value]:
        """Return a pointer to the same contents as another group's."""
        pointer = record.pointer(view)
        assert pointer is not None
        content = view_objects.read(pointer)
        assert content is not None
        return pointer._replace(key=view_objects.write(group_id, view, pointer.watermark, bytes(content))).as_value()

    for group_id in ("g1", "g2", "g3", "g1"):
        views_at = {view: moved(group_id, view) for view in (TEXTS_VIEW, MOST_USED_VIEW)}
        row = {"snapshots": {**views_at, SEARCH.name: views_at[TEXTS_VIEW]}, TEXT_IDS: secret_of(GROUP)}
        offers = views.current(
            Catalogue(group_id, {"group": {group_id: row}}), caller_of("superadmin"), {"descriptions": "o"}, None
        )
        assert [each.text for each in offers.texts["descriptions"]] == ["One"]
        assert list(views._most_used) == [group_id]
        assert len(texts) == 1
        assert texts.holds(group_id)
