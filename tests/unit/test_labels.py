"""The label of a view's object: what is under it comes back where all of it is due, and nowhere else."""

import pytest

from personas.search.object_format import SnapshotDamaged, seal
from personas.views.view_objects import Label, contents, labelled

DUE = Label("5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e01", "personas_search", "2026-11-27T12:00:00.000001+00:00")
CONTENT = seal(b"PERTEXTS", 1, [b"one", b"two"])
OBJECT = labelled(DUE, CONTENT)


def test_what_lies_under_it_comes_back() -> None:
    assert contents(DUE, OBJECT) == CONTENT


@pytest.mark.parametrize("field", Label._fields)
def test_not_where_another_is_due(field: str) -> None:
    with pytest.raises(SnapshotDamaged, match="in the place of"):
        contents(DUE._replace(**{field: "another"}), OBJECT)


def test_not_where_the_label_was_changed_or_laid_over_other_contents() -> None:
    other = labelled(DUE._replace(view="another"), CONTENT)
    length = len(other) - len(CONTENT)
    forged = [
        *(OBJECT[:at] + bytes([OBJECT[at] ^ 1]) + OBJECT[at + 1 :] for at in range(len(OBJECT) - len(CONTENT))),
        OBJECT[: len(OBJECT) - len(CONTENT)] + seal(b"PERTEXTS", 1, [b"one", b"three"]),
        other[:length].replace(b"another", b"personas_search") + CONTENT,
    ]
    for each in forged:
        with pytest.raises(SnapshotDamaged):
            contents(DUE, each)


def test_not_where_it_is_cut_off() -> None:
    for length in range(len(OBJECT) - len(CONTENT)):
        with pytest.raises(SnapshotDamaged):
            contents(DUE, OBJECT[:length])
