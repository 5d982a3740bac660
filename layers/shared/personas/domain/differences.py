"""The fields in which two forms differ."""

from collections.abc import Sequence
from difflib import unified_diff
from typing import Final

from personas.contract.compare import FieldDifference
from personas.contract.field_values import FieldValue
from personas.contract.persona_fields import SHOWN_FIELDS, TextField
from personas.domain.catalogue import Catalogue
from personas.domain.persona import Form
from personas.domain.shown_values import value_of

DIFF_LINES_MAX: Final = 2_000
"""The lines of a text up to which difflib looks for what two have in common: with 16,000 it may take 40 s."""


def differences(before: Form, after: Form, catalogue: Catalogue, sides: tuple[str, str]) -> list[FieldDifference]:
    """Return the fields in which two forms differ, in the order of the fields; ``sides`` names the two in diffs."""
    found = []
    for name, field in SHOWN_FIELDS:
        was, became = value_of(field, before, catalogue), value_of(field, after, catalogue)
        if was == became:
            continue
        told: dict[str, object] = {"field": name, "from": was, "to": became}
        if isinstance(was, list) and isinstance(became, list):
            told |= {
                "added": [each for each in became if each not in was],
                "removed": [each for each in was if each not in became],
            }
        elif isinstance(field, TextField):
            told["diff"] = _diff(_lines(was), _lines(became), sides)
        found.append(FieldDifference.model_validate(told))
    return found


def _lines(text: FieldValue) -> list[str]:
    # Not by splitlines, which drops the sort of line break: two texts may differ in nothing else.
    return text.split("\n") if isinstance(text, str) else []


def _diff(before: Sequence[str], after: Sequence[str], sides: tuple[str, str]) -> list[str]:
    """Return the lines of a unified diff; of very many lines one that replaces all of them."""
    if max(len(before), len(after)) <= DIFF_LINES_MAX:
        return list(unified_diff(before, after, *sides, lineterm=""))
    return [
        f"--- {sides[0]}",
        f"+++ {sides[1]}",
        f"@@ -1,{len(before)} +1,{len(after)} @@",
        *(f"-{line}" for line in before),
        *(f"+{line}" for line in after),
    ]
