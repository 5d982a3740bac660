"""A record of the stream of PersonasTable: of a persona's write, or of none."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from personas.store import keys
from personas.store.attributes import encode_item
from personas.store.keys import Key
from personas.store.stream import PersonaWrite, persona_write_in

GROUP: Final = "00000000-0000-4000-8000-000000000001"
PERSONA: Final = "00000000-0000-4000-8000-000000000002"
KEY: Final = keys.persona(GROUP, PERSONA)


def record(key: Key, *, event: str = "MODIFY", by: object = None, versions: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return a record with a tombstone of each of the versions as its images, the former one first."""
    images = {
        name: encode_item(
            {**key.attributes(), "row": {}, "seq": version, "version": version, "trail": {}, "deleted": True}
        )
        for name, version in zip(("OldImage", "NewImage"), versions, strict=False)
    }
    change = {"Keys": encode_item(key.attributes()), "ApproximateCreationDateTime": 1_700_000_000, **images}
    return {"eventName": event, "dynamodb": change, **({"userIdentity": by} if by else {})}


def write_in(told: dict[str, Any]) -> PersonaWrite:
    write = persona_write_in(told)
    assert write is not None
    return write


def test_a_write_has_both_images_and_the_time_of_the_table() -> None:
    write = write_in(record(KEY, versions=(1, 2)))
    assert (write.group_id, write.persona_id) == (GROUP, PERSONA)
    assert [each and each.version for each in (write.before, write.after)] == [1, 2]
    assert write.moment == datetime.fromtimestamp(1_700_000_000, UTC)


@pytest.mark.parametrize("key", [keys.draft(GROUP, "profile", PERSONA), keys.group(GROUP), keys.mark(GROUP)])
def test_a_write_of_another_item_is_none_of_a_persona(key: Key) -> None:
    assert persona_write_in(record(key, versions=(1, 2))) is None


def test_a_write_under_the_version_that_stood_there_makes_none() -> None:
    assert persona_write_in(record(KEY, versions=(2, 2))) is None


TTL: Final = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@pytest.mark.parametrize(
    ("event", "by", "ends"),
    [("REMOVE", TTL, False), ("REMOVE", None, True), ("REMOVE", {"principalId": "root"}, True), ("MODIFY", TTL, True)],
)
def test_an_item_that_is_removed_at_its_end_ends_no_version(event: str, by: object, ends: bool) -> None:
    assert (persona_write_in(record(KEY, event=event, by=by, versions=(2,))) is not None) is ends
