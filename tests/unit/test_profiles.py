"""An API key as it is stored, and as it is read."""

from typing import Final

import pytest

from personas.domain.profile import ApiKey
from personas.errors import Unreadable
from personas.store.attributes import Item, Value
from personas.store.profiles import api_key_in

ITEM: Final[Item] = {
    "pk": "key#digest",
    "sk": "key",
    "group": "group",
    "profile": "profile",
    "label": "CI",
    "created_at": 7,
    "valid_until": 9,
    "revoked": True,
}


def test_a_key_is_read_as_it_was_stored() -> None:
    assert api_key_in(ITEM) == ApiKey("digest", "group", "profile", "CI", 7, 9, revoked=True)


def test_a_key_may_be_of_no_profile_and_without_an_end() -> None:
    found = api_key_in({**ITEM, "profile": None, "valid_until": None, "revoked": False})
    assert found == ApiKey("digest", "group", None, "CI", 7, None, revoked=False)


@pytest.mark.parametrize("damage", [{"revoked": None}, {"valid_until": "9"}, {"group": None}, {"profile": 1}])
def test_a_damaged_key_opens_nothing(damage: dict[str, Value]) -> None:
    with pytest.raises(Unreadable):
        api_key_in({**ITEM, **damage})
