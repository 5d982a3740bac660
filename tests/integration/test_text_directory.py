"""The directory of texts by itself: what it finds and remembers, and what its clean-up takes away."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest

from personas.contract.persona_fields import TextKind
from personas.domain.text import Fingerprint, Reference, Text, fingerprint
from personas.store import keys
from personas.store.table import Table
from personas.store.texts import FRESH, KEPT_UNUSED, TextDirectory
from support.world import Clock

GROUP: Final = "00000000-0000-4000-8000-000000000001"
OTHER_GROUP: Final = "00000000-0000-4000-8000-000000000002"
ADA: Final = Text("00000000-0000-8000-8000-00000000000a", "Ada")
BEA: Final = Text("00000000-0000-8000-8000-00000000000b", "Bea")
NAME: Final = Reference("names", ADA.id)
SECOND: Final = timedelta(seconds=1)


@pytest.fixture
def directory(table: Table) -> TextDirectory:
    directory = TextDirectory(table)
    put(directory, ("names", ADA))
    return directory


def put(directory: TextDirectory, *texts: tuple[TextKind, Text]) -> None:
    for call in directory.puts(GROUP, texts):
        call()


def clean(table: Table, used: Sequence[Fingerprint] = (), in_drafts: Sequence[Reference] = ()) -> int:
    # Ids that begin with 00 are in the first part.
    return TextDirectory(table).clean(GROUP, 0, used, in_drafts)


def test_what_one_environment_has_put_another_finds(directory: TextDirectory, table: Table) -> None:
    found = TextDirectory(table).read(GROUP, [NAME, Reference("names", BEA.id)])
    assert found == {NAME: "Ada"}


def test_a_text_is_that_of_its_group_and_kind(directory: TextDirectory, table: Table) -> None:
    assert TextDirectory(table).read(OTHER_GROUP, [NAME]) == {}
    assert TextDirectory(table).read(GROUP, [Reference("examples", ADA.id)]) == {}


def test_what_was_put_is_known_for_a_day(directory: TextDirectory, clock: Clock) -> None:
    assert directory.known(GROUP, *NAME) == "Ada"
    assert directory.known(GROUP, "names", BEA.id) is None
    assert directory.known(OTHER_GROUP, *NAME) is None
    clock.moment += FRESH - SECOND
    assert directory.known(GROUP, *NAME) == "Ada"
    clock.moment += SECOND
    assert directory.known(GROUP, *NAME) is None


def test_what_is_known_is_not_put_again(directory: TextDirectory) -> None:
    assert directory.puts(GROUP, [("names", ADA)]) == []
    assert len(directory.puts(GROUP, [("names", BEA)])) == 1


def test_what_is_read_after_a_day_is_touched(directory: TextDirectory, table: Table, clock: Clock) -> None:
    clock.moment += FRESH
    TextDirectory(table).read(GROUP, [NAME])
    entry = table.get(keys.text(GROUP, *NAME))
    assert entry is not None
    assert entry["used_at"] == int(clock.moment.timestamp())


def test_what_was_read_is_known(directory: TextDirectory, table: Table) -> None:
    other = TextDirectory(table)
    other.read(GROUP, [NAME])
    assert other.known(GROUP, *NAME) == "Ada"


def test_no_more_is_remembered_than_fits(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a memory of six characters, and a text of three that was put several times,
    monkeypatch.setattr("personas.store.texts._CACHE_CHARACTERS", 6)
    directory = TextDirectory(table)
    for _ in range(5):
        directory.write(GROUP, [("names", ADA)])
    # when a second one is put, then both are known,
    directory.write(GROUP, [("names", BEA)])
    known = [directory.known(GROUP, "names", each.id) for each in (ADA, BEA)]
    assert known == ["Ada", "Bea"]
    # and after a third and a fourth one the last two.
    for number in (1, 2):
        directory.write(GROUP, [("examples", Text(ADA.id[:-1] + str(number), "One"))])
    assert [directory.known(GROUP, "names", each.id) for each in (ADA, BEA)] == [None, None]
    assert [directory.known(GROUP, "examples", ADA.id[:-1] + str(number)) for number in (1, 2)] == ["One", "One"]


def test_what_nobody_uses_goes_after_a_month(directory: TextDirectory, table: Table, clock: Clock) -> None:
    clock.moment += KEPT_UNUSED
    assert clean(table) == 0
    clock.moment += SECOND
    assert clean(table) == 1
    assert TextDirectory(table).read(GROUP, [NAME]) == {}


def test_what_a_persona_or_a_draft_has_stays(directory: TextDirectory, table: Table, clock: Clock) -> None:
    put(directory, ("names", BEA))
    clock.moment += 2 * KEPT_UNUSED
    assert clean(table, used=[fingerprint("names", "Ada")], in_drafts=[Reference("names", BEA.id)]) == 0
    assert clean(table, used=[fingerprint("examples", "Ada")], in_drafts=[Reference("examples", BEA.id)]) == 2
