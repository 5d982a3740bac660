"""The ids of texts and of entries, which can never change, and the length of texts."""

import pytest

from personas.contract.base import QUOTED_MAX
from personas.contract.persona_fields import TextKind
from personas.domain.text import (
    Fingerprint,
    fingerprint,
    new_secret,
    quoted,
    resource_id,
    text_id,
    utf8_bytes,
    wire_bytes,
)


@pytest.mark.parametrize(
    ("kind", "text", "known"),
    [
        ("names", "Ada", "ec2602e3-a48e-87bc-8bff-252785bc4474"),
        ("names", "Bo", "1fbe0a30-3e77-847e-84f5-919be79d9a07"),
        ("examples", "Ada", "e55be43b-44d7-8400-a60a-2bbcfae7ead3"),
        ("examples", "", "273b6bad-023a-87bb-be83-97fb8e61af1b"),
    ],
)
def test_the_id_of_a_text_follows_from_the_secret_the_kind_and_the_text(kind: TextKind, text: str, known: str) -> None:
    assert text_id(b"secret", kind, text) == known


def test_a_fingerprint_follows_from_the_kind_and_the_text() -> None:
    assert fingerprint("names", "Ada") == Fingerprint("names", "cf1fd68d-de1e-54d7-9fcf-8bba3d3ad919")


def test_the_id_of_an_entry_follows_from_group_kind_and_name() -> None:
    assert resource_id("group", "colors", "Teal") == "2c9c68b2-0489-5599-8cc4-a2b2dbafaf8f"


def test_a_secret_is_256_bits_and_no_other_groups() -> None:
    one, other = new_secret(), new_secret()

    assert len(one) == 32
    assert one != other


def test_bytes_are_counted_as_they_are_sent() -> None:
    assert utf8_bytes(["Ada", "\N{EURO SIGN}"]) == 6
    assert wire_bytes('"\N{EURO SIGN}"\n') == len(r'"\"€\"\n"'.encode())


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Ada's", '"Ada\'s"'),
        ("x" * QUOTED_MAX, f"'{'x' * QUOTED_MAX}'"),
        ("x" * (QUOTED_MAX + 1), f"'{'x' * (QUOTED_MAX - 1)}…'"),
    ],
)
def test_a_sent_text_is_quoted_and_cut(sent: str, shown: str) -> None:
    assert quoted(sent) == shown
