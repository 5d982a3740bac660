"""The choice of the versions that a roll-back moves the aliases of a stack to."""

from typing import Final

import pytest

from personas_tools.rollback import Alias, Move, RollbackError, Version, back, forward

GET: Final = Alias("get", "live", version=7, deployed=7)
CREATE: Final = Alias("create", "live", version=3, deployed=3)
VERSIONS: Final = {
    "get": [Version(5, "one"), Version(6, "two"), Version(7, "three")],
    "create": [Version(1, "one"), Version(2, "two"), Version(3, "three")],
}


def test_every_function_goes_back_to_the_release_before() -> None:
    assert back([GET, CREATE], VERSIONS) == [Move(GET, 6), Move(CREATE, 2)]


def test_a_function_that_the_release_brought_stays() -> None:
    # Given a function whose first version belongs to the release that is live
    # When the release is rolled back, then the function stays, for nothing before it had its routes
    assert back([GET, CREATE], VERSIONS | {"create": [Version(3, "three")]}) == [Move(GET, 6)]


def test_two_versions_of_one_release_are_one_step() -> None:
    # Given a release that published twice, as where a deployment was repeated
    versions = {"get": [Version(5, "two"), Version(6, "three"), Version(7, "three")]}

    # When it is rolled back, then both of its versions are passed over
    assert back([GET], versions) == [Move(GET, 5)]


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        (VERSIONS | {"create": [Version(2, "one"), Version(3, "two")]}, "not at one release"),
        ({"get": [Version(6, ""), Version(7, "")], "create": [Version(2, ""), Version(3, "")]}, "not at one release"),
        ({"get": [Version(7, "three")], "create": [Version(3, "three")]}, "no release before three"),
    ],
    ids=["at several", "without a name", "at the first"],
)
def test_what_cannot_be_rolled_back_stays(versions: dict[str, list[Version]], said: str) -> None:
    with pytest.raises(RollbackError, match=said):
        back([GET, CREATE], versions)


def test_forward_is_to_what_the_stack_deployed_last() -> None:
    behind = Alias("get", "live", version=6, deployed=7)
    assert forward([behind, CREATE]) == [Move(behind, 7)]
