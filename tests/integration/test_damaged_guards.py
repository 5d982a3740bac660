"""Guards over items whose attribute is damaged: moto cannot compare a text with a number, as DynamoDB can."""

import pytest

from personas.store.keys import Key
from personas.store.write_rule import Guard, Later, Still
from support.world import World

KEY = Key("group#g", "persona#damaged")

pytestmark = pytest.mark.emulator


@pytest.mark.parametrize(
    ("guard", "put"),
    [
        pytest.param(Later("at", 5), True, id="nobody can say that it is later"),
        pytest.param(Still("at", 5), False, id="it is not what was read"),
    ],
)
def test_what_is_damaged_is_put_over_unless_it_must_be_what_was_read(emulated: World, guard: Guard, put: bool) -> None:
    # Given an item with a text for a time, when another is put under a guard,
    emulated.table.put_plain(KEY, {"at": "soon"}, asked_for=True)
    assert emulated.table.put_plain(KEY, {"at": 6}, asked_for=True, guard=guard) is put
    # then it stands there, or what stood there does.
    assert emulated.table.get(KEY) == {**KEY.attributes(), "at": 6 if put else "soon"}
