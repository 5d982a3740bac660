"""The words that say yes and no in a cell, as people write them and as spreadsheets do in their language."""

from typing import Final

from personas.domain.folding import fold

_TRUE: Final = "true wahr vrai verdadero verdadeiro vero waar"
"""The words that spreadsheets write in English, German, French, Spanish, Portuguese, Italian and Dutch."""
_FALSE: Final = "false falsch faux falso onwaar"
_YES: Final = "yes ja oui sí si sim sì 1"
_NO: Final = "no nein non não nao nee 0"

SWITCH: Final = {
    **{fold(word): True for word in f"{_TRUE} {_YES}".split()},
    **{fold(word): False for word in f"{_FALSE} {_NO}".split()},
}
"""The meaning of each folded word."""
