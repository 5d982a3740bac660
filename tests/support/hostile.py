"""Requests that no well-meaning client sends, made from a seed: the same seed makes the same requests."""

import base64
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from support.client import event

type Json = Any
"""A JSON value, as it is made up."""

MEGABYTE: Final = 1_000_000
EVENT_MAX: Final = 6_000_000
"""Bytes of a body: Lambda takes no larger request."""
SMALL: Final = 2_000
"""Characters of what may be repeated a thousand times."""

TEXTS: Final = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "x\udfffy",
    "\ufeff",
    "\uffff\U0010ffff",
    '\r\n{"level":"ERROR","message":"forged"}\n',
    "\x1b[31mred\x1b[0m\x07\x7f\x85\u2028\u2029",
    "\u202eevil\u202c\u2066x\u2069",
    "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}\U000e0067\U000e007f",
    "e\u0301\u0316\u0323",
    "\u0f73\u0f75\u0f81",
    "\u1100\u1161\u11a8",
    "\ufb03\ufdfa\u0130\u1e9e\u0345",
    '=HYPERLINK("http://x.test")',
    "\uff1d1+1",
    "${jndi:ldap://x.test/a}",
    "'; DROP TABLE personas; --",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "{{7*7}}%s%n{0}",
    "null",
    "00000000-0000-4000-8000-000000000000",
    "\uff10" * 8 + "-0000-4000-8000-000000000000",
    "urn:uuid:00000000-0000-4000-8000-000000000000",
)
ALPHABETS: Final = (
    "abc ",
    "\u0301\u0316\u0323\u0344\u0f73\u0334",
    "\u00e9\u1ea5\uac00\u4e2d",
    "\U0001f600\u200d\ufe0f",
    '\x01\x0b\x1f"\\/',
    "\u05d0\u0627\u202e",
)
NUMBERS: Final = (
    "0", "-0", "1", "-1", "1.0", "1.5", "1e2", "9007199254740992", "9223372036854775808", "18446744073709551616",
    "1e308", "1e999", "-1e999", "1E+99999999", "0.1e-99999", "1" * 400, "-" + "9" * 4_300, "9" * 4_301, "9" * 20_000,
    "NaN", "Infinity", "-Infinity", "01", "+1", ".5", "0x10", "1_000",
)  # fmt: skip
HEADERS: Final[Mapping[str, Sequence[str]]] = {
    "content-type": (
        "application/json; charset=utf-16", "APPLICATION/JSON", "application/x+json", "text/plain", "", ";", "\u20ac",
        "application/json\r\nx: y", "application/" + "a" * 9_000 + "+json", "multipart/form-data; boundary=\ud800",
    ),
    "content-encoding": ("gzip", "br", "\u20ac"),
    "idempotency-key": ("", " ", "a" * 255, "a" * 256, "\u20ac", "\ud800", "a b", "\x00", "k\r\nx", "#/\\'\"$."),
    "if-match": ("", "*", '"1"', 'W/"1"', "1", '"\u00ff"', '"\u20ac"', '"\ud800"', '"1",' * 2_000, '"' * 5_000, "\x00"),
    "x-mcp": ("true", "\u20ac", "\ud800", "1" * 9_000),
    "x-api-key": ("\u20ac", "\ud800", "psk.\u20ac.x", "psk..", "psk.AAAA.x", "a" * 9_000, "\x00", "\uff50sk.group.x"),
    "authorization": (
        "Bearer \u20ac", "Bearer \ud800.a.b", "Bearer", "Bearer a.b.c", "Bearer " + "a" * 9_000, "\u20ac x", "\x00",
        "Bearer " + base64.urlsafe_b64encode(b"[" * 6_000).decode() + ".e30.x", "Basic dTpw",
    ),
    "x-forwarded-for": ("127.0.0.1\r\n\u20ac",),
}  # fmt: skip
"""Headers and what is wrong, or right but rare, in them."""


def _named_twice(raw: bytes) -> bytes:
    """Return a body with every name twice, the second time for something else; a large one is torn otherwise."""
    if len(raw) >= MEGABYTE:
        return _half_a_sign(raw)
    return raw.replace(b'{"', b'{"group_id": 1, "group_id": [2], "').replace(b"}", b', "name": "twice"}')


def _half_a_sign(raw: bytes) -> bytes:
    """Return a body with the first half of a surrogate pair, and a backslash, behind its first quotation marks."""
    return raw.replace(b'"', b'"\\ud83d\\', 3)


TEARS: Final[Sequence[Callable[[bytes, int, Random], bytes]]] = (
    lambda raw, at, _: raw[:at],
    lambda raw, at, chance: raw[:at] + bytes([chance.randrange(256)]) + raw[at:],
    lambda raw, at, chance: raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :],
    lambda raw, at, chance: (
        raw[:at] + chance.choice((b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")) + raw[at:]
    ),
    lambda raw, *_: b"\xef\xbb\xbf" + raw,
    lambda raw, _, chance: raw.decode(errors="replace").encode(chance.choice(("utf-16", "utf-32", "utf-7"))),
    lambda raw, _, chance: raw + chance.choice((b"\x00", b"{}", b",", b"]" * 1_000, b" " * 1_000, b"\n")),
    lambda _raw, _, chance: chance.choice((b"", b" ", b"null", b"[]", b'"x"', b"7", b"{", b"\x00", b"{}" * 1_000)),
    lambda raw, *_: _named_twice(raw),
    lambda raw, *_: raw.replace(b'": ', b'": /* */ ').replace(b"}", b",}"),
    lambda raw, *_: raw.replace(b'"', b"'"),
    lambda raw, *_: raw.replace(b" ", b"\xc2\xa0"),
    lambda raw, _, chance: b" " * chance.choice((10, MEGABYTE)) + raw,
    lambda raw, *_: _half_a_sign(raw),
)
"""The ways to tear a written body: each is given the bytes, a place in them, and the source of chance."""


@dataclass
class Shot:
    """One request, and the bytes of its body; None where they cannot be told."""

    event: dict[str, Any]
    body: bytes | None


@dataclass
class Gun:
    """A maker of requests to one operation out of sound bodies. ``sound`` makes a body from the source of chance."""

    operation: str
    sound: Callable[[Random], Json]
    chance: Random
    credentials: Mapping[str, str]
    _raw: dict[str, str] = field(default_factory=dict)

    def shot(self) -> Shot:
        """Return the next request."""
        self._raw.clear()
        body = copy.deepcopy(self.sound(self.chance))
        for _ in range(self.chance.choice((0, 1, 1, 1, 2, 4))):
            body = self._spoilt(body)
        return self._carried(self._torn(self._written(body)))

    # ---- What is in the body -----------------------------------------------------------------------------------------

    def _spoilt(self, body: Json) -> Json:
        """Return the body with another value in one place."""
        places = list(_places(body))
        place = self.chance.choice(places)
        if not place:
            return body if self.chance.random() < 0.8 else self._value()
        holder = body
        for step in place[:-1]:
            holder = holder[step]
        match self.chance.randrange(6):
            case 0 if isinstance(holder, dict):
                del holder[place[-1]]
            case 1 if isinstance(holder, dict):
                holder[self._key()] = self._value()
            case 2 if isinstance(holder, list) and len(str(holder)) < SMALL:
                holder *= self.chance.choice((2, 101, 1_000))
            case _:
                holder[place[-1]] = self._value()
        return body

    def _key(self) -> str:
        chosen = ("__proto__", "__class__", "", "a/b~c", "mcp", "generated", "can_edit", "version", "k" * 10_000)
        return self.chance.choice((*chosen, *TEXTS))

    def _value(self) -> Json:
        chance = self.chance
        match chance.randrange(12):
            case 0:
                return chance.choice((None, True, False, [], {}, [[]], [None], {"": None}))
            case 1 | 2:
                return self._as_is(chance.choice(NUMBERS))
            case 3:
                depth = chance.choice((3, 50, 150, 199, 200, 201, 5_000, 100_000))
                opening, closing = chance.choice((("[", "]"), ('{"a":', "}")))
                return self._as_is(opening * depth + ("" if opening == "[" else "1") + closing * depth)
            case 4:
                return [self._text() for _ in range(chance.choice((2, 51, 101)))]
            case 5:
                return {self._key(): self._text()}
            case _:
                return self._text()

    def _text(self) -> str:
        chance = self.chance
        if chance.random() < 0.5:
            return "".join(chance.choices(TEXTS, k=chance.choice((1, 1, 1, 2))))
        length = chance.choices((3, 200, 201, 2_000, 2_001, 32_001, MEGABYTE), weights=(30, 20, 10, 10, 5, 3, 1))[0]
        alphabet = chance.choice(ALPHABETS)
        unit = "".join(chance.choices(alphabet, k=min(length, 20)))
        return (unit * (length // len(unit) + 1))[:length]

    def _as_is(self, raw: str) -> str:
        """Return a placeholder for JSON that the module json must not write, or cannot."""
        name = f"@raw{len(self._raw)}@"
        self._raw[json.dumps(name)] = raw
        return name

    # ---- How it is written -------------------------------------------------------------------------------------------

    def _written(self, body: Json) -> bytes:
        text = json.dumps(body, ensure_ascii=self.chance.random() < 0.6)
        for place, raw in self._raw.items():
            text = text.replace(place, raw)
        return text.encode(errors="surrogatepass")[:EVENT_MAX]

    def _torn(self, raw: bytes) -> bytes:
        """Return the bytes, in most cases as they are, otherwise damaged."""
        if self.chance.random() < 0.6:
            return raw
        at = self.chance.randrange(len(raw) + 1)
        return self.chance.choice(TEARS)(raw, at, self.chance)

    # ---- How it is sent ----------------------------------------------------------------------------------------------

    def _carried(self, raw: bytes) -> Shot:
        chance = self.chance
        headers = dict(self.credentials)
        if chance.random() < 0.15:
            name = chance.choice(tuple(HEADERS))
            headers[name] = chance.choice(HEADERS[name])
        sent = event(self.operation, None, headers)
        body: bytes | None = raw
        try:
            sent["body"] = raw.decode(errors="strict" if chance.random() < 0.5 else "surrogatepass")
        except UnicodeDecodeError:
            sent["body"] = None
        if sent["body"] is None or chance.random() < 0.2:
            sent["isBase64Encoded"] = True
            sent["body"] = base64.b64encode(raw).decode()
            if chance.random() < 0.2:
                sent["body"] = chance.choice(
                    ("\u20ac", "\ud800", "====", "a", "!", "e30\n", "\x00", sent["body"][:-1], "\uff25\uff13\uff10")
                )
                body = None if sent["body"] else b""  # nothing is cut off an empty body
        elif chance.random() < 0.02:
            body = b""
            sent.pop("body")
        return Shot(sent, body)


def _places(body: Json) -> Sequence[tuple[Any, ...]]:
    """Return the path to every value of a document, the document itself among them."""
    found: list[tuple[Any, ...]] = [()]
    inner = body.items() if isinstance(body, dict) else enumerate(body[:5]) if isinstance(body, list) else ()
    for step, value in inner:
        found += ((step, *rest) for rest in _places(value))
    return found
