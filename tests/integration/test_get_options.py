"""get: what a form offers once a refresh has been by."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from personas.contract.persona_fields import TextKind
from personas.contract.views import SEARCH
from personas.domain.catalogue import TEXT_IDS, Catalogue
from personas.domain.profile import Caller
from personas.domain.text import text_id
from personas.runtime import Deadline, Parallel, sqs
from personas.store.attributes import Value
from personas.store.groups import GroupStore
from personas.store.personas import PersonaStore
from personas.store.queue import RefreshQueue
from personas.views import most_used
from personas.views.persona_feed import PersonaFeed
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW, SuggestionViews
from personas.views.text_views import TextViews
from personas.views.view_objects import ViewObjectStore
from support.aws import Aws
from support.house import (
    ACTIVE,
    ALTO,
    CARE,
    GREY,
    HOUSE,
    MOOD,
    MOOD_ANGRY,
    MOOD_CALM,
    PLUM,
    SALES,
    STAR,
    TEAL,
    House,
)
from support.iam import Guard
from support.world import secret_of

VALUE = {"names": "name", "descriptions": "description", "instructions": "template", "examples": "example"}


@pytest.fixture
def house(aws: Aws, iam: Guard) -> Iterator[House]:
    with House(aws, iam).clocked() as house:
        yield house


def options(answer: dict[str, Any], kind: str) -> list[str]:
    """Return the texts that a section offers, in its order."""
    return [each[VALUE[kind]] for each in answer[kind]["resources"]]


def text(kind: TextKind, value: str) -> str:
    return text_id(secret_of(HOUSE), kind, value)


def test_before_a_refresh_a_form_offers_what_is_selected(house: House) -> None:
    persona_id = house.save(name="Ada", examples=["Hm."])
    house.save(name="Bea")
    blank, answer = house.get(), house.get(persona_id=persona_id)
    assert options(blank, "names") == []
    assert not blank["examples"]["show"]
    assert options(answer, "names") == ["Ada"]
    assert answer["names"]["suggestions"] == [text("names", "Ada")]
    assert options(answer, "examples") == ["Hm."]


def test_texts_are_offered_by_their_use_as_far_as_the_caller_may_see_it(house: House) -> None:
    for name, departments in (("Zoe", []), ("Zoe", ["Care"]), ("Ada", ["Sales"]), ("Bea", ["Care", "Sales"])):
        house.save(name=name, departments=departments, description=f"of {name}", examples=["Hm.", f"I am {name}."])
    house.refresh()
    assert options(house.get(), "names") == ["Zoe", "Ada", "Bea"]
    assert options(house.get("nurse"), "names") == ["Zoe", "Bea"]
    assert options(house.get("seller"), "names") == ["Ada", "Bea", "Zoe"]
    assert options(house.get("seller"), "descriptions") == ["of Ada", "of Bea", "of Zoe"]
    assert options(house.get("nurse"), "examples") == ["Hm.", "I am Zoe.", "I am Bea."]
    answer = house.get("nurse")
    assert answer["examples"]["show"]
    assert answer["examples"]["current"] == []
    assert answer["names"]["suggestions"] == [text("names", "Zoe"), text("names", "Bea")]


def test_what_is_selected_is_always_among_the_options(house: House) -> None:
    for number in range(0, 120, 40):
        items = [
            {"name": f"{each:03}", "color": "Teal", "icon": "Star", "instructions": "Ask."}
            for each in range(number, number + 40)
        ]
        assert house.call("create", {"personas": items}).status == 200
    house.refresh()
    late = house.save(name="later")
    last = house.call("search", {"search": "119"}).body["personas"][0]["persona_id"]
    assert options(house.get(), "names") == [f"{each:03}" for each in range(100)]
    assert options(house.get(persona_id=last), "names") == ["119", *(f"{each:03}" for each in range(99))]
    assert options(house.get(persona_id=late), "names") == ["later", *(f"{each:03}" for each in range(99))]


def test_a_text_that_only_a_draft_uses_is_offered_to_nobody(house: House) -> None:
    house.save(name="Ada")
    draft = house.call("draft", {"name": "Mine"}).body["draft_id"]
    house.refresh()
    assert options(house.get(), "names") == ["Ada"]
    assert options(house.get(draft_id=draft), "names") == ["Mine", "Ada"]


def test_a_search_looks_through_all_texts_of_the_group(house: House) -> None:
    first = {"color": "Teal", "icon": "Star", "instructions": "Ask.", "name": "Ada"}
    house.call("create", {"personas": [{**first, "description": f"A {each:03}"} for each in range(100)]})
    rare = {"description": "Zebra 100% STRASSE", "instructions": "Be a_b."}
    house.save(**rare, departments=["Care"])
    persona_id = house.save(description="Other", departments=["Care"])
    house.refresh()
    assert "Zebra 100% STRASSE" not in options(house.get(), "descriptions")
    for search in ("zebra", "0% S", "straße"):
        assert options(house.get(descriptions_search=search), "descriptions") == [rare["description"]]
        assert options(house.get("nurse", descriptions_search=search), "descriptions") == [rare["description"]]
        assert options(house.get("seller", descriptions_search=search), "descriptions") == []
    assert options(house.get(descriptions_search="1%0"), "descriptions") == []
    assert options(house.get(descriptions_search="A 0"), "descriptions") == [f"A {each:03}" for each in range(100)]
    assert options(house.get(instructions_search="A_B"), "instructions") == ["Be a_b."]
    assert options(house.get(instructions_search="ASK"), "instructions") == ["Ask."]
    chosen = house.get(persona_id=persona_id, descriptions_search="zebra")
    assert options(chosen, "descriptions") == ["Other", rare["description"]]
    assert chosen["descriptions"]["suggestions"] == []
    assert house.get()["descriptions"]["suggestions"][0] == text("descriptions", "A 000")


def test_a_search_finds_no_text_of_another_department(house: House) -> None:
    house.save(instructions="Merger with Initech.", description="Merger.", departments=["Sales"])
    house.refresh()
    searches = {"instructions_search": "merger", "descriptions_search": "merger"}

    nurse, seller = (house.get(who, **searches) for who in ("nurse", "seller"))

    assert (options(nurse, "instructions"), options(nurse, "descriptions")) == ([], [])
    assert (options(seller, "instructions"), options(seller, "descriptions")) == (["Merger with Initech."], ["Merger."])


def test_suggestions_are_the_most_used_of_what_can_be_chosen(house: House) -> None:
    house.save(color="Plum", departments=["Care"], parameter_fields=["Calm"], voices=["Alto"], active_flag=True)
    house.save(color="Plum", departments=["Care", "Sales"], parameter_fields=["Angry"], active_flag=True)
    house.save(color="Teal", departments=["Sales"], parameter_fields=["Angry"])
    house.save(color="Grey", departments=["Sales"])
    house.save(color="Grey", departments=["Sales"])
    house.add("colors", "Grey", name="Grey", description="", hex_code="#808080", active=False)
    house.refresh()
    expected = {
        "root": ([PLUM, TEAL], [SALES, CARE], [MOOD_ANGRY, MOOD_CALM]),
        "nurse": ([PLUM], [CARE], sorted([MOOD_ANGRY, MOOD_CALM])),
        "seller": (sorted([PLUM, TEAL]), [SALES], [MOOD_ANGRY]),
    }
    for who, (colors, departments, fields) in expected.items():
        answer = house.get(who)
        assert answer["colors"]["suggestions"] == colors
        assert answer["departments"]["suggestions"] == departments
        assert answer["parameter_fields"]["suggestions"] == fields
        assert answer["parameters"]["suggestions"] == [MOOD]
        assert answer["icons"]["suggestions"] == [STAR]
        assert answer["flags"]["suggestions"] == [ACTIVE]
        assert answer["voices"]["suggestions"] == ([] if who == "seller" else [ALTO])
    assert GREY not in house.get()["colors"]["suggestions"]


def test_suggestions_are_twenty_at_most(house: House) -> None:
    first = {"color": "Teal", "icon": "Star", "instructions": "Ask."}
    house.call("create", {"personas": [{**first, "name": f"A {each:03}"} for each in range(30)]})
    house.refresh()
    assert house.get()["names"]["suggestions"] == [text("names", f"A {each:03}") for each in range(20)]


def test_a_section_holds_one_megabyte(house: House) -> None:
    long = [f"{each:02}" + "ü" * 31_998 for each in range(20)]
    ids = [house.save(instructions=each) for each in long]
    house.refresh()
    assert options(house.get(), "instructions") == long[:15]
    assert options(house.get(persona_id=ids[-1]), "instructions") == [long[-1], *long[:14]]
    assert options(house.get(instructions_search="19ü"), "instructions") == [long[19]]


def test_every_id_that_is_offered_can_be_sent_back(house: House) -> None:
    house.save(name="Ada", description="One", examples=["Hm."])
    house.refresh()
    house.wait(days=29)
    answer = house.get()
    sent = {
        "name_id": answer["names"]["suggestions"][0],
        "description_id": answer["descriptions"]["resources"][0]["id"],
        "instructions_id": answer["instructions"]["resources"][0]["id"],
        "example_ids": [answer["examples"]["resources"][0]["id"]],
        "color_id": answer["colors"]["suggestions"][0],
    }
    assert house.call("draft", sent).status == 200


def test_a_warm_get_takes_one_request_and_a_new_pointer_one_more(house: House) -> None:
    house.save(name="Ada", description="One")
    house.refresh()
    house.get()
    house.requests.clear()
    house.get()
    assert house.requests == ["Query"]
    house.requests.clear()
    house.get(descriptions_search="o")
    house.get(descriptions_search="o")
    assert house.requests == ["Query", "GetObject", "Query", "Query", "Query"]
    # The refresh runs elsewhere: this environment stays warm.
    running = house._running
    house._running = "refresh"
    house.save(name="Bea")
    house.refresh()
    house._running = running
    house.get()
    house.requests.clear()
    assert options(house.get(), "names") == ["Ada", "Bea"]
    assert house.requests == ["Query"]


def test_refresh_tells_the_texts_view_and_the_library_only_when_they_changed(house: House) -> None:
    persona_id = house.save(name="Ada", departments=["Care"])
    views, tags = house.refresh()
    assert TEXTS_VIEW in views
    assert MOST_USED_VIEW not in views
    assert tags == ["personas", "library"]
    assert house.refresh() == ([], [])
    texts, offered = house.pointer(TEXTS_VIEW), house.pointer(MOST_USED_VIEW)
    for color in ("Plum", "Teal"):
        house.call("update", {"personas": [{"persona_id": persona_id, "color": color}]})
    views, tags = house.refresh()
    assert TEXTS_VIEW not in views
    assert tags == ["personas"]
    assert (house.pointer(TEXTS_VIEW), house.pointer(MOST_USED_VIEW)) == (texts, offered)
    house.call("update", {"personas": [{"persona_id": persona_id, "name": "Bea"}]})
    views, tags = house.refresh()
    assert TEXTS_VIEW in views
    assert tags == ["personas", "library"]
    assert options(house.get(), "names") == ["Bea"]
    house.call("delete", {"persona_ids": [persona_id]})
    house.refresh()
    assert options(house.get(), "names") == []
    assert house.get()["names"]["suggestions"] == []


@pytest.mark.parametrize("view", [TEXTS_VIEW, MOST_USED_VIEW])
@pytest.mark.parametrize("how", ["missing", "damaged", "unknown"])
def test_a_view_that_cannot_be_used_is_made_anew(house: House, view: str, how: str) -> None:
    persona_id = house.save(name="Ada", description="One")
    house.refresh()
    key, bucket, s3 = house.pointer(view), house.aws.names["Bucket"], house.aws.s3
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    if how == "missing":
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        changed = content[:-1] if how == "damaged" else b"PERSONAS" + content[8:]
        s3.put_object(Bucket=bucket, Key=key, Body=changed)
    answer = house.get(persona_id=persona_id, descriptions_search="o")
    assert options(answer, "descriptions") == ["One"]
    views, _ = house.refresh()
    assert TEXTS_VIEW in views
    assert options(house.get(descriptions_search="o"), "descriptions") == ["One"]


def test_a_view_of_another_format_is_made_anew(house: House) -> None:
    house.save(name="Ada")
    with patch.object(most_used, "FORMAT_VERSION", 7):
        house.refresh()
    assert options(house.get(), "names") == []
    assert house.refresh()[1] == ["personas", "library"]
    assert options(house.get(), "names") == ["Ada"]


def test_what_is_held_is_bounded_by_bytes(house: House) -> None:
    house.save(name="Ada", description="One")
    house.refresh()
    view_objects = ViewObjectStore(house.aws.s3, house.aws.names["Bucket"])
    side_by_side, groups = Parallel(), GroupStore(house.table)
    feed = PersonaFeed(house.table, groups, lambda: RefreshQueue(sqs(), house.aws.names["RefreshQueue"]), Deadline())
    texts = TextViews(feed, PersonaStore(house.table), side_by_side)
    views = SuggestionViews(lambda: view_objects, texts, side_by_side, house.table.now, budget_bytes=1)
    caller = Caller(
        group_id=HOUSE, profile_id="p", name="p", role="superadmin", department_ids=frozenset(), session_id="s"
    )
    record = groups.read(HOUSE)

    def moved(group_id: str, view: str) -> dict[str, Value]:
        """Return a pointer to the same contents as another group's."""
        pointer = record.pointer(view)
        assert pointer is not None
        content = view_objects.read(pointer)
        assert content is not None
        return replace(pointer, key=view_objects.write(group_id, view, pointer.watermark, bytes(content))).as_value()

    for group_id in ("g1", "g2", "g3", "g1"):
        views_at = {view: moved(group_id, view) for view in (TEXTS_VIEW, MOST_USED_VIEW)}
        row = {"snapshots": {**views_at, SEARCH.name: views_at[TEXTS_VIEW]}, TEXT_IDS: secret_of(HOUSE)}
        offers = views.current(Catalogue(group_id, {"group": {group_id: row}}), caller, {"descriptions": "o"}, None)
        assert [each.text for each in offers.texts["descriptions"]] == ["One"]
        assert list(views._most_used) == [group_id]
        assert len(texts) == 1
        assert texts.holds(group_id)
