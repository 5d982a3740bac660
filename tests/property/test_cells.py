"""The cells of a CSV file: whatever text goes in comes out again, and none of them is run by a spreadsheet."""

import csv
import io
import re
from typing import Final
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.domain.cells import escape, join_list, quoted, split_list, unescape

SIGNS: Final = tuple(each for each in map(chr, range(0x110000)) if normalize("NFKC", each)[:1] in ("=", "+", "-", "@"))
HARMLESS: Final = (
    *("", "plain", "'quoted'", "a=b", "O'Brien", "it\nis", "a;b", "'", "1-2"),
    *(" X", "a;X", "a;'X", "X-1;a", "X'-1"),
)
hostile: Final = st.text(st.sampled_from("'\t\r\n =+-@|\\\xa0\u200b\ufeff\u3000\uff1d\uff0bab,;\"😀"), max_size=8)
texts: Final = st.text() | hostile


@given(texts)
def test_a_text_comes_back_from_its_cell(text: str) -> None:
    assert unescape(escape(text)) == text


@given(st.lists((texts).filter(bool)))
def test_a_list_comes_back_from_its_cell(values: list[str]) -> None:
    assert split_list(unescape(escape(join_list(values)))) == values


@given(st.lists(texts, min_size=2))
def test_a_line_is_the_one_that_the_csv_module_writes(cells: list[str]) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerow(cells)
    assert f"{','.join(map(quoted, cells))}\r\n" == written.getvalue()


def seen(cell: str) -> str:
    """Return a cell as a spreadsheet sees it that skips spaces and takes a full-width sign for a sign."""
    return normalize("NFKC", cell).lstrip()


@given(texts)
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    assert not seen(escape(text)).startswith(("=", "+", "-", "@"))
    assert not escape(text).lstrip(" ").startswith(("\t", "\r", "\n"))


@given(texts)
def test_no_part_of_a_cell_begins_as_a_formula_does(text: str) -> None:
    # Given a spreadsheet that begins a cell at a semicolon, a tab or the end of a line, quoted or not
    parts = [seen(part).lstrip('" ') for part in re.split("[;\t\r\n]", escape(text))]
    assert [part for part in parts if part.startswith(("=", "+", "-", "@"))] == []


@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(";\t"))
def test_no_cell_of_a_file_that_is_split_elsewhere_begins_as_a_formula_does(row: list[str], separator: str) -> None:
    # Given a row of an export
    file = io.StringIO(newline="")
    csv.writer(file).writerow(["id", *map(escape, row), "1"])
    # When it is split as the file of another locale, by a reader that knows quotes
    found = csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=separator)
    # Then none of its cells is a formula
    assert [cell for cells in found for cell in cells if seen(cell).startswith(("=", "+", "-", "@"))] == []


@given(texts)
def test_nothing_but_apostrophes_is_added(text: str) -> None:
    assert escape(text).replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("values", [["a\\", "b"], ["a\\\\"], ["a|", "b"], ["|"], ["a", "b|"], [], ["a"]])
def test_lists_with_strokes_and_backslashes_are_read_back(values: list[str]) -> None:
    assert split_list(join_list(values)) == values


@pytest.mark.parametrize("before", ["", " ", "\xa0", "\u3000", "\u200b", "\ufeff", "\x01"])
def test_every_sign_is_neutralised(before: str) -> None:
    assert [sign for sign in SIGNS if escape(f"{before}{sign}1") != f"'{before}{sign}1"] == []


@pytest.mark.parametrize("behind", [";", "\t", "\n", "\r\n", "\r"])
@pytest.mark.parametrize("before", ["", " ", "\u200b", '"', '""', "'"])
def test_every_sign_is_neutralised_where_a_cell_would_begin(behind: str, before: str) -> None:
    for end in ("", ";y"):
        text = f"{before}{{}}1{end}"
        assert [
            sign for sign in SIGNS if escape(f"x{behind}{text}".format(sign)) != f"x{behind}'{text}".format(sign)
        ] == []


@pytest.mark.parametrize("text", HARMLESS)
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


@pytest.mark.parametrize("cell", ["=1+1", "-", "'", "'a", "a;=1"])
def test_a_cell_that_no_escape_makes_is_its_own_text(cell: str) -> None:
    assert unescape(cell) == cell
