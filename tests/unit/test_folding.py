"""The folding of texts: which of them count as the same."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.domain.folding import fold, fold_all


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("e\u0301cole", "École"),
        ("ﬁnance", "FINANCE"),
        ("\uff26\uff35\uff2c\uff2c\u3000\uff57\uff49\uff44\uff54\uff48", "full width"),
        ("Å", "a\u030a"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("\u017faint", "Saint"),
        ("각", "\u1100\u1161\u11a8"),
        ("x²", "X2"),
        ("i\u0307", "İ"),
    ],
)
def test_folds_spellings_of_the_same_text_together(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("resume", "résumé"), ("שלום", "שלומ"), ("👩‍🚀", "👩🚀"), ("%", "_"), ("a b", "ab")]
)
def test_keeps_different_texts_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text())
def test_is_the_formula_of_the_contract(text: str) -> None:
    assert fold(text) == unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@given(st.lists(st.text(), max_size=5))
def test_folds_joined_texts_as_it_folds_each(texts: list[str]) -> None:
    assert fold("\0".join(texts)) == "\0".join(map(fold, texts))


@given(st.lists(st.text("aB\0é\u0301", max_size=4), max_size=5))
def test_folds_many_texts_as_it_folds_each(texts: list[str]) -> None:
    assert fold_all(texts) == list(map(fold, texts))
