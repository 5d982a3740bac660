"""A persona's row taken apart into the cells of the columns, and what is refused as no row."""

from collections.abc import Mapping
from typing import Final

import pytest

from personas.search.rows import (
    GENERATED,
    HAS_CREATED,
    HAS_DESCRIPTION,
    HAS_DESCRIPTION_ID,
    HAS_NAME_ID,
    HAS_UPDATED,
    MANY_KEYS,
    MCP,
    NO_ID,
    SINGLE_KEYS,
    Cells,
    cells_of,
    key_of,
    packed,
    time_of,
    unpacked,
)

ONE: Final = "01234567-89ab-4cde-8f01-23456789abcd"
TWO: Final = "fedcba98-7654-4210-bfed-cba987654321"
ROW: Final[Mapping[str, object]] = {
    "n": "Otto",
    "ni": ONE,
    "d": "A baker",
    "di": TWO,
    "ii": "i",
    "ih": "You bake",
    "c": "c",
    "i": "o",
    "f": "f",
    "dp": ["a", "b", "a"],
    "pf": ["p"],
    "ex": [TWO, ONE, TWO],
    "vo": ["v"],
    "sc": ["s", "t"],
    "as": ("t",),
    "np": 3,
    "g": True,
    "m": True,
    "ct": "1970-01-01T00:00:01.000002+00:00",
    "ut": "1970-01-01T01:00:00+01:00",
}


def test_a_row_is_taken_apart() -> None:
    cells = cells_of({**ROW, "ut": "1970-01-01T01:00:00.000007+01:00"})

    assert cells._replace(ids={}) == Cells(
        name="Otto",
        description="A baker",
        head="You bake",
        ids={},
        examples=bytes.fromhex(TWO.replace("-", "") + ONE.replace("-", "")),
        name_id=bytes.fromhex(ONE.replace("-", "")),
        description_id=bytes.fromhex(TWO.replace("-", "")),
        flags=1 + 2 + 4 + 8 + 16 + 32 + 64,
        profiles=3,
        created=1_000_002,
        updated=7,
    )
    assert {key: list(ids) for key, ids in cells.ids.items()} == {
        "c": ["c"],
        "i": ["o"],
        "f": ["f"],
        "ii": ["i"],
        "dp": ["a", "b"],
        "pf": ["p"],
        "vo": ["v"],
        "sc": ["s", "t"],
        "as": ["t"],
    }


def test_what_a_row_leaves_out_is_empty() -> None:
    assert cells_of({"n": ""}) == Cells(
        name="",
        description="",
        head="",
        ids=dict.fromkeys((*MANY_KEYS, *SINGLE_KEYS), ()),
        examples=b"",
        name_id=bytes(16),
        description_id=bytes(16),
        flags=0,
        profiles=0,
        created=0,
        updated=0,
    )


@pytest.mark.parametrize(
    ("key", "value", "flag"),
    [
        ("d", "", HAS_DESCRIPTION),
        ("ni", ONE, HAS_NAME_ID),
        ("di", ONE, HAS_DESCRIPTION_ID),
        ("ct", "1970-01-01T00:00:00+00:00", HAS_CREATED),
        ("ut", "1970-01-01T00:00:00+00:00", HAS_UPDATED),
        ("g", True, GENERATED),
        ("m", True, MCP),
        ("g", False, 0),
        ("m", False, 0),
    ],
)
def test_a_flag_tells_what_is_there_and_set(key: str, value: object, flag: int) -> None:
    assert cells_of({"n": "", key: value}).flags == flag


def test_the_flags_are_those_of_the_stored_columns() -> None:
    assert (HAS_DESCRIPTION, HAS_NAME_ID, HAS_DESCRIPTION_ID, HAS_CREATED) == (1, 2, 4, 8)
    assert (HAS_UPDATED, GENERATED, MCP) == (16, 32, 64)


@pytest.mark.parametrize(
    "change",
    [
        {"n": None},
        {"n": b"Otto"},
        {"n": "\ud83d"},
        {"d": 1},
        {"d": "\ud83d"},
        {"ih": 1},
        {"ih": "\ud83d"},
        {"g": 1},
        {"g": "true"},
        {"m": 0},
        {"m": "true"},
        {"np": 1.5},
        {"np": -1},
        {"np": 1 << 32},
        {"ni": 7},
        {"ni": ONE.upper()},
        {"di": ONE.replace("-", "")},
        {"di": f"{ONE}00"},
        {"c": ""},
        {"c": 7},
        {"dp": "a"},
        {"dp": {"a"}},
        {"dp": [7]},
        {"dp": ["a", 7]},
        {"dp": [""]},
        {"ex": [ONE, "x"]},
        {"ct": 7},
        {"ct": "yesterday"},
        {"ct": "2026-11-28T00:00:00"},
        {"ut": "2026-11-28"},
    ],
)
def test_what_is_no_row_is_refused(change: Mapping[str, object]) -> None:
    with pytest.raises(ValueError, match=r"persona's row|UUID|surrogates|hexadecimal|isoformat"):
        cells_of({**ROW, **change})


@pytest.mark.parametrize("number", [0, 1, (1 << 32) - 1])
def test_a_number_of_profiles_has_32_bits(number: int) -> None:
    assert cells_of({**ROW, "np": number}).profiles == number


def test_an_id_becomes_its_bytes_and_comes_back() -> None:
    assert packed(ONE) == key_of(ONE) == bytes.fromhex("0123456789ab4cde8f0123456789abcd")
    assert unpacked(bytes.fromhex("0123456789ab4cde8f0123456789abcd")) == ONE
    assert packed(None) is None
    assert bytes(16) == NO_ID


@pytest.mark.parametrize("value", ["", "0" * 32, ONE[:-2], f"{{{ONE}}}", 7, ONE.encode()])
def test_what_is_no_id_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"UUID|hexadecimal"):
        packed(value)


def test_a_persona_without_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="has an id"):
        key_of(None)  # type: ignore[arg-type]  # the types rule it out, and a stored row does not


@pytest.mark.parametrize(
    ("microseconds", "time"),
    [(0, "1970-01-01T00:00:00+00:00"), (1_800_000_000_000_001, "2027-01-15T08:00:00.000001+00:00")],
)
def test_a_time_is_told_in_utc(microseconds: int, time: str) -> None:
    assert time_of(microseconds) == time
    assert cells_of({"n": "", "ct": time}).created == microseconds
