"""The cells of a CSV file of personas: texts that no spreadsheet runs, and lists; both can be read back exactly."""

import re
from collections.abc import Iterable
from typing import Final

_FORMULA: Final = re.compile(
    # Apostrophes that stand there already: where a formula comes behind them, one more is put before it and taken away.
    "'*"
    # What a spreadsheet skips: spaces of any kind, control characters, characters without a width.
    "[\\s\x00-\x1f\x7f-\x9f\xad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*"
    # = + - @ and their compatibility forms (NFKC), of which the full-width ones are a known danger; the minus sign.
    "[=+@\\-\u207a\u207c\u208a\u208c\u2212\u2a75\u2a76\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20\t\r\n]"
)
_PART: Final = re.compile(r"(?:\\[|\\]|[^|])+")
_ESCAPED: Final = re.compile(r"\\([|\\])")
_TO_ESCAPE: Final = re.compile(r"[|\\]")


def escape(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula: with an apostrophe before it where it would."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(cell: str) -> str:
    """The text that `escape` made the cell of. A cell that no rule of it would have made is left as it is."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def join_list(values: Iterable[str]) -> str:
    r"""The values, none of them empty, in one text: joined by ``|``, with ``\|`` and ``\\`` for those in them."""
    return "|".join(_TO_ESCAPE.sub(r"\\\g<0>", value) for value in values)


def split_list(text: str) -> list[str]:
    r"""The values that `join_list` joined.

    In a file that a person wrote, nothing between two ``|`` is no value, and a ``\`` before anything else is itself.
    """
    return [_ESCAPED.sub(r"\1", part) for part in _PART.findall(text)]
