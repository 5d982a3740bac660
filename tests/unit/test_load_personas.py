"""Many personas read at once: in as many batches as they need, without those that cannot be read."""

from collections.abc import Iterable
from typing import Final, cast

import pytest

from personas.errors import Unreadable
from personas.runtime import Parallel
from personas.store.load_personas import LOADED_AT_ONCE, load_personas
from personas.store.personas import PersonaStore, Stored
from personas.store.table import BATCH_READ_MAX

GROUP: Final = "group"


class Shelf:
    """A store of personas that notes in which batches it is read."""

    def __init__(self, found: dict[str, Stored | Unreadable]) -> None:
        self._found = found
        self.batches: list[list[str]] = []

    def get_many(self, group_id: str, persona_ids: Iterable[str]) -> dict[str, Stored | Unreadable]:
        assert group_id == GROUP
        batch = list(persona_ids)
        self.batches.append(batch)
        return {each: self._found[each] for each in batch if each in self._found}


def stored(seq: int) -> Stored:
    return Stored(None, 1, seq, 0, 0, {})


def test_those_that_exist_come_from_as_few_batches_as_hold_them() -> None:
    # Given a store with every other one of as many personas as are held at once,
    ids = [str(number) for number in range(LOADED_AT_ONCE)]
    there: dict[str, Stored | Unreadable] = {each: stored(int(each)) for each in ids[::2]}
    shelf = Shelf(there)
    # when all are loaded,
    found = load_personas(cast("PersonaStore", shelf), Parallel(), GROUP, ids)
    # then those that exist are there, and every batch was as long as it may be.
    assert found == there
    assert set(map(len, shelf.batches)) == {BATCH_READ_MAX}


def test_one_that_cannot_be_read_is_left_out_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    # Given a store in which one of two personas is damaged,
    sound = stored(1)
    shelf = Shelf({"sound": sound, "damaged": Unreadable("group persona#damaged", "row is not a map")})
    # when both are loaded, then the other one is there, and the damage is counted.
    found = load_personas(cast("PersonaStore", shelf), Parallel(), GROUP, ["sound", "damaged"])
    assert found == {"sound": sound}
    assert "UnreadableItems" in capsys.readouterr().out
