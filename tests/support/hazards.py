"""Personas made of what breaks CSV files and spreadsheets, the same ones every time."""

import random
from collections.abc import Iterator, Sequence
from typing import Final
from unicodedata import normalize

from personas.contract.base import INSTRUCTIONS_MAX
from personas.contract.visible import is_visible

LIBRARY: Final = r"""
departments: [{name: "Sales, EMEA"}, {name: "R&D | Labs"}, {name: "=HQ"}, {name: 'Back\slash "quoted"'}]
colors: [{name: "Teal", hex_code: "#16818A"}, {name: "-Plum, dark", hex_code: "#6E2A59"}]
icons: [{name: "@Star; bright", value: "star"}, {name: "Heart|beat", value: "heart-pulse"}]
flags: [{key: active, label: Active}]
voices: [{voice: "+Alto"}, {voice: "Bass|Baritone"}]
parameters:
  - {name: "Mood", fields: [{name: "Calm"}, {name: "=Angry, very"}]}
  - {name: "Tone|Key", fields: [{name: "Calm"}, {name: "For\\mal"}]}
"""
"""Of a group whose names are no better than its texts. "Calm" is a field of two parameters."""

_LINKS: Final = {
    "departments": ["Sales, EMEA", "R&D | Labs", "=HQ", 'Back\\slash "quoted"'],
    "parameter_fields": ["Mood: Calm", "=Angry, very", "Tone|Key: Calm", "For\\mal"],
    "voices": ["+Alto", "Bass|Baritone"],
}
_FRAGMENTS: Final = (
    *('"', '""', "'", "''", "\n", "\r\n", "\r", "\t", "|", "\\|", "\\", "\\\\", ",", ";", " ", "\xa0", "\u3000"),
    *("=1+1", "+", "-", "@", "=cmd|' /C calc'!A0", "\uff1d2", "\uff0b", "\uff0d", "\uff20", "'=", "\u200b="),
    *("\U0001f600", "\U0001f469\u200d\U0001f4bb", "e\u0301", "\ufeff", "\u202e", "\x01", "\x7f", "<b>", "null", "人"),
    *("word", "Well, no.", "100%", "0", "true"),
)


def personas(count: int) -> Iterator[dict[str, object]]:
    """Yield so many personas in the form in which `create` takes and keeps them.

    Their instructions differ; those of every fiftieth have the full length.
    """
    chance = random.Random(20261125)
    for number in range(count):
        instructions = _text(chance, 20) + f" {number}"
        if number % 50 == 0:
            instructions = (instructions * INSTRUCTIONS_MAX)[: INSTRUCTIONS_MAX - 1] + "."
        persona: dict[str, object] = {
            "name": next(name for name in iter(lambda: _text(chance, 8), None) if is_visible(name)),
            "color": chance.choice(["Teal", "-Plum, dark"]),
            "icon": chance.choice(["@Star; bright", "Heart|beat"]),
            "instructions": instructions,
            "active_flag": chance.random() < 0.5,  # one half
            "examples": list(dict.fromkeys(_text(chance, 8) for _ in range(chance.randrange(5)))),
        }
        if chance.random() < 0.8:  # most
            persona["description"] = _text(chance, 12)
        for field, names in _LINKS.items():
            persona[field] = chance.sample(names, chance.randrange(len(names) + 1))
        yield persona


def _text(chance: random.Random, fragments: int) -> str:
    """Return a text in the form in which the service keeps it: trimmed, in NFC."""
    while True:
        parts: Sequence[str] = chance.choices(_FRAGMENTS, k=chance.randint(1, fragments))
        text = normalize("NFC", "".join(parts).strip())
        if text:
            return text
