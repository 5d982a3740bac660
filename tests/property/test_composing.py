"""NFC in linear time is NFC."""

import time
from unicodedata import combining, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.contract.composing import composed

MARKS = "\u0301\u0316\u0323\u0327\u0334\u0344\u0345\u0308\u05b0\u064b\u0f71\u0f72\u0f74\u0f80\u3099\U0001d16e"
SPLIT = "\u0f73\u0f75\u0f81"
STARTERS = "aeoq\u00e9\u1ea5\u1100\u1161\u11a8\uac00\u03b1\u1fb3\u0f40\u304b \n\x00\U0001d15e"

hostile = st.lists(
    st.one_of(
        st.text(st.sampled_from(MARKS + SPLIT), max_size=80),
        st.text(st.sampled_from(STARTERS), max_size=3),
        st.text(max_size=5),
    ),
    max_size=8,
).map("".join)


@given(hostile)
def test_is_nfc(text: str) -> None:
    assert composed(text) == normalize("NFC", text)


@pytest.mark.parametrize("pattern", ["\u0301\u0316", "\u0f73", "\u0f71\u0f80\u0f81", "e\u0334\u0301\u0316", "\u1161"])
def test_takes_time_by_length_alone(pattern: str) -> None:
    # 13 s by unicodedata.normalize for the first of them.
    text = pattern * (128_000 // len(pattern))

    began = time.process_time()
    composed(text)

    assert time.process_time() - began < 1


def test_only_those_characters_come_apart_into_nothing_but_marks() -> None:
    """The table in the module is that of this Python's Unicode."""
    found = {
        character
        for character in map(chr, range(0x110000))
        if not combining(character) and all(map(combining, normalize("NFD", character)))
    }

    assert found == set(SPLIT)


def test_a_mark_that_comes_apart_keeps_its_class() -> None:
    """Sorting marks before they come apart is as good as sorting what they come apart into."""
    for character in map(chr, range(0x110000)):
        if combining(character):
            assert {combining(each) for each in normalize("NFD", character)} == {combining(character)}
