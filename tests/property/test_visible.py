"""Names that nobody would see are no names."""

import sys
from typing import Final
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from personas.contract.create import CreatePersonaItem
from personas.contract.draft import PatchPersonaDraftRequest
from personas.contract.update import UpdatePersonaItem
from personas.contract.visible import is_visible
from support.world import NEEDED, NOBODY

UNSEEN: Final = [
    chr(each)
    for each in range(sys.maxunicode + 1)
    if category(chr(each)) in {"Cc", "Cf", "Zl", "Zp", "Zs"} and chr(each) != "\x00"
]
FILLERS: Final = [
    "\N{HANGUL FILLER}",
    "\N{HANGUL CHOSEONG FILLER}",
    "\N{HANGUL JUNGSEONG FILLER}",
    "\N{HALFWIDTH HANGUL FILLER}",
    "\N{BRAILLE PATTERN BLANK}",
    "\N{COMBINING GRAPHEME JOINER}",
    "\N{VARIATION SELECTOR-1}",
    "\N{VARIATION SELECTOR-16}",
    "\N{VARIATION SELECTOR-256}",
    "\N{MONGOLIAN FREE VARIATION SELECTOR ONE}",
    "\N{TAG SPACE}",
    "\N{MUSICAL SYMBOL NULL NOTEHEAD}",
]
SEEN: Final = ["a", "7", "é", "\u0301", "ש", "字", "ᄀ", "👩", "⠁", "-", ".", "\N{HANGUL SYLLABLE GA}"]

invisible = st.text(st.sampled_from([*UNSEEN, *FILLERS]))


@given(invisible)
def test_nobody_sees_what_is_made_of_invisible_characters_alone(text: str) -> None:
    assert not is_visible(text)


@given(invisible, st.sampled_from(SEEN), invisible)
def test_one_character_that_can_be_seen_is_enough(before: str, seen: str, after: str) -> None:
    assert is_visible(before + seen + after)


@given(invisible)
def test_such_a_name_is_missing(name: str) -> None:
    with pytest.raises(ValidationError, match="is required"):
        CreatePersonaItem.model_validate({**NEEDED, "name": name})
    with pytest.raises(ValidationError, match="is required and cannot be cleared"):
        UpdatePersonaItem.model_validate({"persona_id": NOBODY, "name": name})
    assert PatchPersonaDraftRequest.model_validate({"name": name}).name is None
