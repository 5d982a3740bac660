"""The cells of a CSV file: whatever text goes in comes out again, and none of them is run by a spreadsheet."""

from typing import Final
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.domain.cells import escape, join_list, split_list, unescape

SIGNS: Final = tuple(each for each in map(chr, range(0x110000)) if normalize("NFKC", each)[:1] in ("=", "+", "-", "@"))
hostile: Final = st.text(st.sampled_from("'\t\r\n =+-@|\\\xa0\u200b\ufeff\u3000\uff1d\uff0bab,;\"😀"), max_size=8)
texts: Final = st.text() | hostile


@given(texts)
def test_a_text_comes_back_from_its_cell(text: str) -> None:
    assert unescape(escape(text)) == text


@given(st.lists((texts).filter(bool)))
def test_a_list_comes_back_from_its_cell(values: list[str]) -> None:
    assert split_list(unescape(escape(join_list(values)))) == values


@given(texts)
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    # Given what a spreadsheet makes of the cell that skips spaces and takes a full-width sign for a sign
    seen = normalize("NFKC", escape(text)).lstrip()
    # Then it is no formula, and nothing but an apostrophe was ever added
    assert not seen.startswith(("=", "+", "-", "@"))
    assert not escape(text).lstrip(" ").startswith(("\t", "\r", "\n"))
    assert escape(text) in {text, f"'{text}"}


@pytest.mark.parametrize("before", ["", " ", "\xa0", "\t", "\u3000", "\u200b", "\ufeff", "\x01"])
def test_every_sign_is_neutralised(before: str) -> None:
    assert [sign for sign in SIGNS if escape(f"{before}{sign}1") != f"'{before}{sign}1"] == []


@pytest.mark.parametrize("text", ["", "plain", "'quoted'", "a=b", "O'Brien", "it\n=is", "'", "1-2"])
def test_a_harmless_text_is_its_own_cell(text: str) -> None:
    assert (escape(text), unescape(text)) == (text, text)


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("", []),
        ("a|b", ["a", "b"]),
        ("a||b|", ["a", "b"]),
        (r"a\|b|c\\|d", ["a|b", "c\\", "d"]),
        ("a\\b|c\\", ["a\\b", "c\\"]),
    ],
)
def test_a_list_that_a_person_wrote_is_read(cell: str, values: list[str]) -> None:
    assert split_list(cell) == values
