"""A persona's row as the store writes it, and the parts that the columns of an index hold of it."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypedDict


class ListedRow(NamedTuple):
    """The part of a persona's row that a list shows."""

    name: str
    description: str | None
    color_id: str | None
    icon_id: str | None
    active_flag_id: str | None
    department_ids: tuple[str, ...]
    parameter_field_ids: tuple[str, ...]
    scenario_ids: tuple[str, ...]
    active_scenario_ids: tuple[str, ...]
    num_profiles: int
    generated: bool
    mcp: bool
    updated_at: str | None


PersonaRow = TypedDict(
    "PersonaRow",
    {
        "n": str,
        "ni": str | None,
        "d": str | None,
        "di": str | None,
        "ii": str | None,
        "ih": str,
        "c": str | None,
        "i": str | None,
        "f": str | None,
        "dp": list[str],
        "pf": list[str],
        "ex": list[str],
        "vo": list[str],
        "sc": list[str],
        "as": list[str],
        "np": int,
        "g": bool,
        "m": bool,
        "ct": str | None,
        "ut": str | None,
    },
)
"""A persona's row as the store writes it (`personas.store.persona_rows`).

Fields that a row leaves out are None, "", 0, False or empty here; ids come without repeats, times in UTC. Keys that
are not listed are not kept. One that is added here takes a higher format version of the snapshots, so that they are
rebuilt.
"""


SINGLE_KEYS: Final = ("c", "i", "f", "ii")
MANY_KEYS: Final = ("dp", "pf", "vo", "sc", "as")

ID_BYTES: Final = 16
NO_ID: Final = bytes(ID_BYTES)
_PROFILES_END: Final = 1 << 32
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND: Final = timedelta(microseconds=1)

HAS_DESCRIPTION: Final = 1
HAS_NAME_ID: Final = 2
HAS_DESCRIPTION_ID: Final = 4
HAS_CREATED: Final = 8
HAS_UPDATED: Final = 16
GENERATED: Final = 32
MCP: Final = 64


class Cells(NamedTuple):
    """A row taken apart into what the columns hold."""

    name: str
    description: str
    head: str
    ids: dict[str, Collection[str]]
    examples: bytes
    name_id: bytes
    description_id: bytes
    flags: int
    profiles: int
    created: int
    updated: int


def cells_of(row: Mapping[str, object]) -> Cells:
    """Take a row apart.

    Raises:
        ValueError: it is not a persona's row.
    """
    name, description, head, profiles = row.get("n"), row.get("d"), row.get("ih"), row.get("np") or 0
    if not (isinstance(name, str) and isinstance(description, str | None) and isinstance(head, str | None)):
        raise ValueError("a persona's row has a text that is none")
    if not (isinstance(row.get("g"), bool | None) and isinstance(row.get("m"), bool | None)):
        raise ValueError("a persona's row has a flag that is none")
    # Half of a surrogate pair, which can neither be kept nor told, raises as well: UnicodeEncodeError is a ValueError.
    f"{name}{description}{head}".encode()
    if not isinstance(profiles, int) or not 0 <= profiles < _PROFILES_END:
        raise ValueError("a persona's row has a number that is none")
    name_id, description_id = packed(row.get("ni")), packed(row.get("di"))
    created, updated = _microseconds(row.get("ct")), _microseconds(row.get("ut"))
    ids: dict[str, Collection[str]] = {key: _ids(row.get(key)) for key in MANY_KEYS}
    for key in SINGLE_KEYS:
        ids[key] = () if row.get(key) is None else _ids((row[key],))
    return Cells(
        name=name,
        description=description or "",
        head=head or "",
        ids=ids,
        examples=b"".join(filter(None, map(packed, _ids(row.get("ex"))))),
        name_id=name_id or NO_ID,
        description_id=description_id or NO_ID,
        flags=(description is not None) * HAS_DESCRIPTION
        | (name_id is not None) * HAS_NAME_ID
        | (description_id is not None) * HAS_DESCRIPTION_ID
        | (created is not None) * HAS_CREATED
        | (updated is not None) * HAS_UPDATED
        | bool(row.get("g")) * GENERATED
        | bool(row.get("m")) * MCP,
        profiles=profiles,
        created=created or 0,
        updated=updated or 0,
    )


def _ids(value: object) -> Collection[str]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or [each for each in value if not isinstance(each, str) or not each]:
        raise ValueError("a persona's row has ids that are none")
    return dict.fromkeys(value)


def packed(value: object) -> bytes | None:
    """Return the 16 bytes of an id, None for none."""
    if value is None:
        return None
    if isinstance(value, str):
        key = bytes.fromhex(value.replace("-", ""))
        if len(key) == ID_BYTES and unpacked(key) == value:
            return key
    raise ValueError("an id is not a UUID in its usual form")


def unpacked(key: bytes) -> str:
    """Return the id that these 16 bytes are."""
    digits = key.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _microseconds(value: object) -> int | None:
    """Return a time as microseconds since 1970, None for none."""
    if value is None:
        return None
    time = datetime.fromisoformat(value) if isinstance(value, str) else None
    if time is None or time.tzinfo is None:
        raise ValueError("a persona's row has a time that is none")
    return (time - _EPOCH) // _MICROSECOND


def time_of(microseconds: int) -> str:
    """Return the time that so many microseconds since 1970 are."""
    return (_EPOCH + microseconds * _MICROSECOND).isoformat()


def key_of(persona_id: str) -> bytes:
    """Return the 16 bytes of a persona's id.

    Raises:
        ValueError: it is not a UUID in its usual form.
    """
    key = packed(persona_id)
    if key is None:
        raise ValueError("a persona has an id")
    return key
