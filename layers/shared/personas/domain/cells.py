"""The cells of a CSV file of personas: texts that no spreadsheet runs, and lists; both can be read back exactly."""

import re
from collections.abc import Collection
from typing import Final

# The characters that may stand between the beginning of a cell and its formula.
_BEFORE: Final = (
    # Apostrophes that stand there already: one more is put before them, and taken away.
    "'*+"
    # Characters that a spreadsheet skips: spaces of any kind, control characters, characters without a width; and
    # quotes, for one that splits the cell takes what is left of it for a quoted cell.
    '[\x00-\x08\x0b\x0c\x0e-\x20\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"]*+'
)
# = + - @ and their compatibility forms (NFKC), of which the full-width ones are a known danger; the minus sign.
_SIGNS: Final = "=+@\\-\u207a\u207c\u208a\u208c\u2212\u2a75\u2a76\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
_FIRST: Final = re.compile(f"{_BEFORE}[{_SIGNS}\t\r\n]")
# A spreadsheet that separates lists by semicolons begins a cell behind each; another one behind tabs and lines.
# An expression each, for one that begins with a letter is searched for several times as fast as one that begins with a
# set of them.
_LATER: Final = {each: re.compile(f"{each}(?={_BEFORE}[{_SIGNS}])") for each in ";\t\r\n"}
_LATER_ESCAPED: Final = {each: re.compile(f"{each}'(?={_BEFORE}[{_SIGNS}])") for each in ";\t\r\n"}
_PART: Final = re.compile(r"(?:\\[|\\]|[^|])+")
_ESCAPED: Final = re.compile(r"\\([|\\])")


def escape(text: str) -> str:
    """Return the text as a cell that no spreadsheet takes for a formula: with apostrophes, also inside."""
    cell = text
    if ";" in text or "\t" in text or "\n" in text or "\r" in text:
        for begin, formula in _LATER.items():
            cell = formula.sub(f"{begin}'", cell)
    # Most texts begin with a letter, which is no sign and hides none: the expression takes longer to see that.
    return f"'{cell}" if not text[:1].isalnum() and _FIRST.match(text) else cell


def unescape(cell: str) -> str:
    """Return the text that `escape` made the cell of; a cell that it would not have made is returned as it is."""
    text = cell
    for begin, formula in _LATER_ESCAPED.items():
        if begin in text:
            text = formula.sub(begin, text)
    return text[1:] if cell.startswith("'") and _FIRST.match(cell) else text


def quoted(cell: str) -> str:
    """Return the cell as a line of RFC 4180 has it: in quotes if it holds a comma, a quote or the end of a line."""
    if "," in cell or '"' in cell or "\n" in cell or "\r" in cell:
        return f'"{cell.replace('"', '""')}"'
    return cell


def join_list(values: Collection[str]) -> str:
    r"""Return values, none of them empty, as one text: joined by ``|``, with ``\|`` and ``\\`` for those in them."""
    joined = "|".join(values)
    if "\\" in joined or joined.count("|") >= len(values):
        return "|".join([value.replace("\\", r"\\").replace("|", r"\|") for value in values])
    return joined


def split_list(text: str) -> list[str]:
    r"""Return the values that `join_list` joined.

    In a file that a person wrote, nothing between two ``|`` is no value, and a ``\`` before anything else is itself.
    """
    return [_ESCAPED.sub(r"\1", part) for part in _PART.findall(text)]
