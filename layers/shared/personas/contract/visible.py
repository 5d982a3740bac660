"""The visibility of texts, by the properties of their characters in Unicode."""

import re
from typing import Final
from unicodedata import category

_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""The categories of control and format characters and of separators."""

_IGNORABLE: Final = re.compile(
    # Default_Ignorable_Code_Point, as far as the categories do not say it: joiners and fillers of scripts, variation
    # selectors, and what is reserved for more of them.
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
    # Symbols that are blank: the Braille pattern without dots, and the note without a head.
    "\u2800\U0001d159]"
)


def is_visible(text: str) -> bool:
    """Tell whether at least one character of a text can be seen."""
    return any(category(each) not in _UNSEEN and not _IGNORABLE.match(each) for each in text)
