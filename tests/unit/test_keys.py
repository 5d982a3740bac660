"""The keys as they are stored, each spelled once more: under another one, what is stored would not be found again."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import pytest

from personas.store import keys
from personas.store.keys import Key

TEXT: Final = "0b1c2d3e-4f50-4172-8394-a5b6c7d8e9f0"
MOMENT: Final = datetime(2026, 11, 28, 7, 5, 9, 42, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key_of", "named", "pk", "sk"),
    [
        (keys.persona, ("G", "P"), "group#G", "persona#P"),
        (keys.resource, ("G", "colors", "C"), "group#G", "resource#colors#C"),
        (keys.group, ("G",), "group#G", "group"),
        (keys.mark, ("G",), "group#G", "mark"),
        (keys.queued, ("G",), "group#G", "queued"),
        (keys.refresh_claim, ("G",), "group#G", "refreshing"),
        (keys.drafter, ("G", "R"), "draft#G", "drafter#R"),
        (keys.draft, ("G", "R", "D"), "draft#G#R", "draft#D"),
        (keys.text, ("G", "names", TEXT), "text#G#0b", f"names#{TEXT}"),
        (keys.export, ("U",), "export#U", "export"),
        (keys.profile, ("R",), "profile#R", "profile"),
        (keys.api_key, ("5a",), "key#5a", "key"),
        (keys.listed_key, ("G", "5a"), "keys#G", "key#5a"),
        (keys.listed_profile, ("G", "R"), "profiles#G", "profile#R"),
        (keys.version, ("G", "P", "v#", 12), "history#G#P", "v#000000012"),
        (keys.version, ("G", "P", "w#", 123456789), "history#G#P", "w#123456789"),
    ],
)
def test_an_item_lies_where_it_always_lay(
    key_of: Callable[..., Key], named: tuple[object, ...], pk: str, sk: str
) -> None:
    assert key_of(*named).attributes() == {"pk": pk, "sk": sk}


def test_ranges_and_indexes_bear_the_names_that_they_always_bore() -> None:
    assert (keys.CHANGES_INDEX, keys.DUE_INDEX, keys.DUE_SHARD) == ("changes", "due", "0")
    assert (keys.PERSONA_CHANGES, keys.RESOURCE_CHANGES, keys.DRAFT_CHANGES) == ("p#", "r#", "d#")
    assert (keys.PERSONAS, keys.VERSION_RECORDS, keys.WHOLE_VERSIONS) == ("persona#", "v#", "w#")


def test_a_group_has_a_partition_of_texts_for_every_first_byte() -> None:
    given = [f"{byte:02x}{TEXT[2:]}" for byte in range(256)]

    found = [keys.text("G", "names", entry_id).pk for entry_id in given]

    assert found == [keys.texts_partition("G", shard) for shard in range(keys.TEXT_SHARDS)]
    assert len(set(found)) == 256


@pytest.mark.parametrize(
    ("key", "named"),
    [
        (Key("group#G", "persona#P"), ("G", "P")),
        (Key("group#persona#", "persona#group#"), ("persona#", "group#")),
        (Key("group#G", "group"), None),
        (Key("draft#G#R", "persona#P"), None),
        (Key("G group#", "persona#P"), None),
        (Key("group#G", "P persona#"), None),
    ],
)
def test_only_the_key_of_a_persona_names_one(key: Key, named: tuple[str, str] | None) -> None:
    assert keys.persona_of(key) == named


def test_a_sort_key_ends_with_its_id() -> None:
    assert keys.id_of("resource#colors#C") == "C"
    assert keys.number_of("v#000000012") == 12


def test_a_stamp_tells_its_range_and_its_moment() -> None:
    assert keys.stamp("p#", MOMENT) == "p#2026-11-28T07:05:09.000042Z"
    assert keys.moment_of("p#2026-11-28T07:05:09.000042Z") == MOMENT


def test_a_range_begins_at_a_moment_or_with_its_first_stamp() -> None:
    assert keys.range_of("p#", MOMENT) == ("p#2026-11-28T07:05:09.000042Z", "p#~")
    assert keys.range_of("p#", None) == ("p#", "p#~")


def test_the_lists_of_a_group_have_partitions_of_their_own() -> None:
    assert keys.drafters_partition("G") == "draft#G"
    assert keys.drafts_partition("G", "R") == "draft#G#R"
    assert keys.keys_partition("G") == "keys#G"
    assert keys.profiles_partition("G") == "profiles#G"
    assert keys.history_partition("G", "P") == "history#G#P"
