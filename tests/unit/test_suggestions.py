"""Tests of how much of what is used most fits into a section of a form."""

import pytest

from personas.domain.suggestions import Use, within_section

HALF = "a" * 499_998
"""Half of a section: with its quotation marks 500,000 bytes."""


@pytest.mark.parametrize(("entry", "kept"), [(HALF, 2), (f"{HALF}a", 1), ("a" * 499_997 + "\n", 1)])
def test_texts_are_kept_to_the_last_byte_of_a_section(entry: str, kept: int) -> None:
    # Given texts of which the last would fit alone
    uses = [Use(HALF, 3), Use(entry, 2), Use("a", 1)]
    # Then those that follow the first one that does not are left out as well
    assert within_section(uses) == uses[:kept]
