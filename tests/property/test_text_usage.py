"""The texts view and what is most used, against brute force over the same personas."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import batched, chain
from typing import Final
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.contract.persona_fields import TextKind
from personas.domain import entries, suggestions
from personas.domain.entries import KINDS, TEXT_KINDS, Kind, Move
from personas.domain.folding import fold
from personas.domain.persona import Form, Persona
from personas.domain.suggestions import Use
from personas.domain.text import Fingerprint, Text, fingerprint, identified, wire_bytes
from personas.search.columns import gathered
from personas.search.object_format import (
    SnapshotDamaged,
    SnapshotVersionUnknown,
    deflate,
    inflate,
    pack_numbers,
    seal,
    unpack_numbers,
    unseal,
)
from personas.views import most_used, text_columns, text_usage
from personas.views.most_used import OFFERED, MostUsed, OfferedKind
from personas.views.text_columns import SetCounts
from personas.views.text_usage import KEPT, TextsView

SECRET: Final = b"s" * 32
GROUP: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e01"
IDS: Final = [str(UUID(int=number)) for number in range(1, 13)]
DEPARTMENTS: Final = ["d1", "d2", "d3", "d4"]
PARAMETER_OF: Final = {f"f{number}": f"p{number // 2}" for number in range(1, 13)}
WORDS: Final = [
    "Straße",
    "STRASSE",
    "ﬁn",
    "fin",
    "Ada",
    "ada",
    "50%",
    "a_b",
    "👩‍👩‍👧",
    "שלום",
    "e\u0301",
    "é",
    "\n",
    "xx",
]
SEARCHES: Final = ["", "ss", "fi", "ADA", "%", "_", "👩", "ש", "É", "x", "\n", "nothing has this"]
NOW: Final = 1_800_000_000
DAYS: Final = int(KEPT.total_seconds())

type Callers = Iterable[str] | None


def persona(persona_id: str, seq: int, text: Mapping[TextKind, list[str]], **links: object) -> Persona:
    """Return a persona with these texts."""
    of = {kind: [identified(SECRET, kind, each) for each in text[kind]] for kind in TEXT_KINDS}
    given_links = {"color_id": "c1", "icon_id": "i1", **links}
    return Persona(
        id=persona_id,
        form=Form(
            name=of["names"][0],
            description=of["descriptions"][0] if of["descriptions"] else None,
            instructions=of["instructions"][0],
            examples=tuple(of["examples"]),
            **given_links,
        ),
        created_at="2026-01-02T03:04:05+00:00",
        updated_at="2026-01-02T03:04:05+00:00",
        seq=seq,
    )


_word: Final = st.sampled_from(WORDS)
_words: Final = st.lists(_word, max_size=3, unique=True)
_departments: Final = st.lists(st.sampled_from(DEPARTMENTS), max_size=3, unique=True)
_parameter_fields: Final = st.lists(st.sampled_from([*PARAMETER_OF, "gone"]), max_size=3, unique=True)
_voices: Final = st.lists(st.sampled_from(["v1", "v2"]), max_size=2, unique=True)
_description: Final = st.lists(_word, max_size=1)
_head: Final = st.tuples(
    st.sampled_from(IDS), st.integers(1, 12), st.sampled_from(["c1", "c2"]), st.sampled_from(["on", None])
)


@st.composite
def personas(draw: st.DrawFn) -> Persona:
    """Draw any persona, of few words and few links, so that they meet."""
    persona_id, seq, color_id, active_flag_id = draw(_head)
    return persona(
        persona_id,
        seq,
        {
            "names": [draw(_word)],
            "descriptions": draw(_description),
            "instructions": [draw(_word)],
            "examples": draw(_words),
        },
        color_id=color_id,
        active_flag_id=active_flag_id,
        department_ids=tuple(draw(_departments)),
        parameter_field_ids=tuple(draw(_parameter_fields)),
        voice_ids=tuple(draw(_voices)),
    )


@dataclass
class Model:
    """The expected state of the view: per id the highest seq that it received."""

    held: dict[str, tuple[int, Persona | None]] = field(default_factory=dict)

    def take(self, persona_id: str, seq: int, as_is: Persona | None) -> bool:
        if seq <= self.held.get(persona_id, (-1, None))[0]:
            return False
        self.held[persona_id] = seq, as_is
        return True

    @property
    def living(self) -> list[Persona]:
        return [each for _, each in self.held.values() if each]

    def fingerprints(self) -> set[Fingerprint]:
        return {
            fingerprint(kind, each.text)
            for one in self.living
            for kind in TEXT_KINDS
            for each in entries_of(one, kind)
            if isinstance(each, Text)
        }

    def uses_of(self, kind: Kind, wanted: Iterable[str]) -> dict[str, Counter[frozenset[str]]]:
        uses: dict[str, Counter[frozenset[str]]] = {entry: Counter() for entry in wanted}
        for one in self.living:
            for each in entries_of(one, kind):
                entry = each.text if isinstance(each, Text) else each
                if entry in uses:
                    uses[entry][frozenset(one.department_ids)] += 1
        return uses

    def first(self, kind: OfferedKind, departments: Callers, search: str = "") -> list[Use]:
        uses: Counter[str] = Counter()
        for one in self.living:
            if departments is None or not one.department_ids or set(one.department_ids) & set(departments):
                uses.update(each.text if isinstance(each, Text) else each for each in entries_of(one, kind))
        ranked = sorted((-times, entry) for entry, times in uses.items() if fold(search) in fold(entry))
        kept: list[Use] = []
        taken = 0
        for times, entry in ranked[: most_used.OPTIONS_MAX]:
            taken += wire_bytes(entry)
            if taken > most_used.SECTION_BYTES:
                break
            kept.append(Use(entry, -times))
        return kept


def entries_of(one: Persona, kind: OfferedKind) -> Iterable[Text | str]:
    """Return the entries of a kind that a persona has."""
    by_kind: dict[OfferedKind, Iterable[Text | str | None]] = {
        "names": [one.name],
        "descriptions": [one.form.description],
        "instructions": [one.form.instructions],
        "examples": one.form.examples,
        "colors": [one.form.color_id],
        "icons": [one.form.icon_id],
        "flags": [one.form.active_flag_id],
        "departments": one.department_ids,
        "parameter_fields": one.form.parameter_field_ids,
        "parameters": {PARAMETER_OF[each] for each in one.form.parameter_field_ids if each in PARAMETER_OF},
        "voices": one.form.voice_ids,
    }
    return [each for each in by_kind[kind] if each is not None]


@contextmanager
def limits(options: int, section_bytes: int) -> Iterator[None]:
    """Set limits that few personas reach."""
    with (
        patch.multiple(suggestions, OPTIONS_MAX=options, SECTION_BYTES=section_bytes),
        patch.multiple(most_used, OPTIONS_MAX=options, SECTION_BYTES=section_bytes, FEW_ENTRIES=options),
    ):
        yield


def callers() -> st.SearchStrategy[Callers]:
    return st.none() | st.lists(st.sampled_from([*DEPARTMENTS, "unknown"]), max_size=3, unique=True)


steps = st.lists(personas() | st.tuples(st.sampled_from(IDS), st.integers(1, 12)) | st.just("stored"), max_size=30)


def moved(view: TextsView, model: Model, step: Persona | tuple[str, int] | str) -> list[Move]:
    """Take one step of a view's life, and return the move of the persona, if it has moved."""
    match step:
        case Persona():
            move = view.upsert(step)
            assert (move is not None) == model.take(step.id, step.seq, step)
        case (persona_id, seq):
            move = view.delete(persona_id, seq, NOW)
            assert (move is not None) == model.take(persona_id, seq, None)
        case _:
            move = None
    return [move] if move else []


def taken(view: TextsView, model: Model, step: Persona | tuple[str, int] | str) -> TextsView:
    """Take one step of a view's life, and return the view that goes on."""
    moved(view, model, step)
    return TextsView.decode(view.encode()) if step == "stored" else view


@settings(max_examples=300)
@given(
    steps=steps,
    departments=callers(),
    search=st.sampled_from(SEARCHES),
    few=st.integers(1, 6),
    room=st.integers(5, 60),
    late=st.integers(0, 6),
)
def test_the_view_agrees_with_brute_force(
    steps: list[Persona | tuple[str, int] | str], departments: Callers, search: str, few: int, room: int, late: int
) -> None:
    view, model = TextsView(GROUP), Model()
    caller = None if departments is None else frozenset(departments)
    for step in steps:
        view = taken(view, model, step)
        with limits(few, room), patch.object(text_usage, "DELTA_MAX", late):
            for kind in TEXT_KINDS:
                assert view.search(kind, search, caller) == model.first(kind, caller, search)
    assert len(view) == len(model.living)
    assert model.fingerprints() <= view.used_texts()
    for persona_id in IDS:
        assert view.seq_of(persona_id) == model.held.get(persona_id, (-1, None))[0]
    with limits(few, room):
        for kind in TEXT_KINDS:
            assert view.search(kind, search, caller) == model.first(kind, caller, search)
            assert view.search(kind, "", caller) == model.first(kind, caller)
        offered = MostUsed.of(view, PARAMETER_OF)
        restored = MostUsed.decode(offered.encode())
        for each in OFFERED:
            assert offered.first(each, caller) == restored.first(each, caller) == model.first(each, caller)


@given(steps=steps, again=st.randoms(use_true_random=False))
def test_the_same_uses_give_the_same_offers_however_they_came_about(
    steps: list[Persona | tuple[str, int] | str], again: random.Random
) -> None:
    view, model = TextsView(GROUP), Model()
    for step in steps:
        view = taken(view, model, step)
    anew, living = TextsView(GROUP), model.living
    again.shuffle(living)
    for one in living:
        anew.upsert(one)
    assert MostUsed.of(anew, PARAMETER_OF).encode() == MostUsed.of(view, PARAMETER_OF).encode()


@settings(max_examples=500)
@given(
    before=steps,
    rounds=st.lists(steps, min_size=1, max_size=3),
    few=st.integers(1, 6),
    room=st.integers(5, 60),
    late_share=st.sampled_from([0, 1, 100]),
    departments=callers(),
    links=st.sampled_from([PARAMETER_OF, dict.fromkeys(PARAMETER_OF, "another parameter")]),
)
def test_what_is_carried_on_offers_what_would_be_counted_anew(
    before: list[Persona | tuple[str, int] | str],
    rounds: list[list[Persona | tuple[str, int] | str]],
    few: int,
    room: int,
    late_share: int,
    departments: Callers,
    links: Mapping[str, str],
) -> None:
    with limits(few, room), patch.object(text_usage, "LATE_SHARE", late_share):
        # Given a view as it was stored, with the entries that are most used,
        view, model = TextsView(GROUP), Model()
        for step in before:
            view = taken(view, model, step)
        offered = MostUsed.of(view, links)
        # when personas are written, and it is carried on by those that have moved, refresh by refresh,
        for after in rounds:
            view.completeness = offered.completeness
            view = TextsView.decode(view.encode(), is_carried_on=True)
            offered = MostUsed.decode(offered.encode())
            moves = []
            for step in after:
                moves += moved(view, model, step)
            offered = offered.revised(view, PARAMETER_OF, moves)
            # then the uses of every entry are those of now,
            for kind in KINDS:
                assert view.uses_of(kind, {*WORDS, *PARAMETER_OF}) == model.uses_of(kind, {*WORDS, *PARAMETER_OF})
            # and any caller is offered what brute force finds.
            caller = None if departments is None else frozenset(departments)
            for each in OFFERED:
                assert offered.first(each, caller) == model.first(each, caller)
        assert len(view) == len(model.living)


def test_only_the_moved_are_counted_where_all_entries_are_kept() -> None:
    # Given a view of some personas, as it was stored,
    view = TextsView(GROUP)
    for number in range(1, 50):
        view.upsert(bare(number, 1, f"Ada {number % 7}", department_ids=("d1",), parameter_field_ids=("pf1",)))
    older = MostUsed.of(view, PARAMETER_OF)
    view.completeness = older.completeness
    view = TextsView.decode(view.encode(), is_carried_on=True)
    # when one of them moves,
    move = view.upsert(bare(1, 2, "Bea", department_ids=("d2",), parameter_field_ids=("pf2",)))
    # then the uses of no kind are counted again.
    assert move is not None
    with patch.object(SetCounts, "of", side_effect=AssertionError):
        older.revised(view, PARAMETER_OF, [move])


def test_names_are_counted_anew_once_those_kept_beyond_the_first_hundred_are_used_up() -> None:
    # Given a group of more names than are kept,
    view = TextsView(GROUP)
    for number in range(1_200):
        view.upsert(bare(number, 1, f"Ada {number:04}"))
    offered = MostUsed.of(view, {})
    view.completeness = offered.completeness
    view = TextsView.decode(view.encode(), is_carried_on=True)
    # when one that was not among them goes out of use, and the first of them one by one,
    anew = []
    for number in (700, *range(150)):
        move = view.upsert(bare(number, 2, "Zoe"))
        assert move is not None
        with patch.object(SetCounts, "of", side_effect=SetCounts.of) as counted:
            offered = offered.revised(view, {}, [move])
        view.completeness = offered.completeness
        anew += [number] * (counted.call_count > 0)
        # then the next ones are offered, after the one that is used most by now,
        names = [use.entry for use in offered.first("names", None)]
        assert sorted(names) == [*(f"Ada {number + each:04}" for each in range(1, 100)), "Zoe"] or number in (700, 0)
    # and all are counted again only when a hundred of them have gone.
    assert anew == [101]


@given(before=steps, after=steps)
def test_a_move_has_the_entries_of_a_persona_before_and_after(
    before: list[Persona | tuple[str, int] | str], after: list[Persona | tuple[str, int] | str]
) -> None:
    # Given a view as it was stored,
    view, model = TextsView(GROUP), Model()
    for step in before:
        view = taken(view, model, step)
    view = TextsView.decode(view.encode(), is_carried_on=True)
    for step in after:
        held = {persona_id: one for persona_id, (_, one) in model.held.items()}
        # when a persona is written or deleted,
        for move in moved(view, model, step):
            # then its move goes from what was held of it to what is held now.
            persona_id = step.id if isinstance(step, Persona) else step[0]
            states = held.get(persona_id), model.held[persona_id][1]
            assert move == tuple(state and entries.entries_of(state) for state in states)


def bare(number: int, seq: int, name: str, **links: object) -> Persona:
    """Return a persona of which only the name counts."""
    text: dict[TextKind, list[str]] = {"names": [name], "descriptions": [], "instructions": ["i"], "examples": []}
    return persona(str(UUID(int=number)), seq, text, **links)


def test_a_text_stays_that_the_first_persona_alone_still_has() -> None:
    # Given two personas of one name, as they were stored,
    view = TextsView(GROUP)
    for number in (1, 2):
        view.upsert(bare(number, 1, "Ada"))
    view = TextsView.decode(view.encode())
    # when the second one is deleted,
    view.delete(str(UUID(int=2)), 2, NOW)
    # then the first one has its name.
    assert list(view.uses("names").entries) == ["Ada"]


def test_a_text_that_lay_beside_the_base_stays_known_for_thirty_days() -> None:
    # Given a view with a persona beside its base,
    view = TextsView(GROUP)
    for number in range(250):
        view.upsert(bare(number, 1, f"Ada {number}"))
    view = TextsView.decode(view.encode(), is_carried_on=True)
    view.upsert(bare(1, 2, "Bea"))
    view = TextsView.decode(view.encode(), is_carried_on=True)
    # when the persona gets another name,
    view.upsert(bare(1, 3, "Cy"))
    view.settle(NOW)
    # then the one that it had is known as long as any other.
    view = TextsView.decode(view.encode(), is_carried_on=True)
    view.settle(NOW + DAYS - 1)
    assert fingerprint("names", "Bea") in view.used_texts()
    view.settle(NOW + DAYS)
    assert fingerprint("names", "Bea") not in view.used_texts()


def test_long_texts_are_merged_into_the_base_and_not_repeated_beside_it() -> None:
    # Given the view of a group, as it was stored,
    view = TextsView(GROUP)
    for number in range(250):
        view.upsert(bare(number, 1, f"Ada {number}"))
    view = TextsView.decode(view.encode(), is_carried_on=True)
    # when one persona gets a text as long as all others,
    view.upsert(bare(1, 2, "Ada " * 5_000))
    # then there are new columns.
    assert version_of(view.encode()) == text_usage.FORMAT_VERSION


def test_sets_of_departments_that_nobody_has_are_forgotten_once_they_are_most() -> None:
    # Given a group of ten personas without departments, and what they use most,
    view = TextsView(GROUP)
    for number in range(10):
        view.upsert(bare(number, 1, f"Ada {number}"))
    offered = MostUsed.of(view, {})
    # when one of them moves to another department time and again,
    kept = []
    with patch.object(most_used, "_SETS_LOOKED_AT", 10):
        for seq in range(2, 30):
            view.completeness = offered.completeness
            move = view.upsert(bare(1, seq, "Ada 1", department_ids=(f"d{seq}",)))
            assert move is not None
            offered = offered.revised(view, {}, [move])
            kept.append(len(offered._sets))
    # then whenever ten more sets have come, those that nobody has are forgotten.
    assert kept[:9] == [*range(2, 10), 2]
    assert max(kept) == 9


def test_of_names_that_have_become_many_no_longer_all_are_kept() -> None:
    # Given a group of so few names that all are kept,
    view = TextsView(GROUP)
    for number in range(30):
        view.upsert(bare(number, 1, f"Ada {number:02}"))
    with limits(10, 100_000), patch.object(most_used, "FEW_ENTRIES", 30):
        offered = MostUsed.of(view, {})
        view.completeness = offered.completeness
        # when there is one more,
        move = view.upsert(bare(30, 1, "Bea"))
        assert move is not None
        offered = offered.revised(view, {}, [move])
    # then only those are kept that can be offered, twice as many as are.
    assert len(offered._kept["names"].entries) == 20


def test_suggestions_are_made_once_for_a_caller() -> None:
    view = TextsView(GROUP)
    view.upsert(bare(1, 1, "Ada"))
    offered = MostUsed.of(view, {})
    assert offered.suggestions(None, SECRET) is offered.suggestions(None, SECRET)


def test_suggestions_are_held_for_the_64_callers_of_the_last_calls() -> None:
    # Given a group of seven departments, whose callers may belong to any of them
    view = TextsView(GROUP)
    for number in range(7):
        view.upsert(bare(number, 1, "Ada", department_ids=(f"d{number}",)))
    offered = MostUsed.of(view, {})
    callers = [frozenset(f"d{bit}" for bit in range(7) if number >> bit & 1) for number in range(65)]
    # When 64 have asked, then the first one again, and somebody else
    for caller in (*callers[:64], callers[0], callers[64]):
        offered.suggestions(caller, SECRET)
    # Then the second one's are let go
    assert set(offered._suggestions) == {callers[0], *callers[2:]}


def test_the_margin_is_given_up_where_there_is_no_room_for_it() -> None:
    # Given a group whose longer names find room once, but not twice for each department,
    view, model = TextsView(GROUP), Model()
    departments = [f"d{number}" for number in range(8)]
    for number in range(400):
        one = bare(number, 1, f"{number:0100}", department_ids=(departments[number % 8],))
        view.upsert(one)
        model.take(one.id, 1, one)
    with limits(10, 100_000), patch.object(most_used, "KIND_BYTES", 12_000):
        offered = MostUsed.of(view, {})
        assert len(offered._kept["names"].entries) == 80
        # when a persona is written, then it is carried on for every caller.
        view.completeness = offered.completeness
        one = bare(300, 2, f"{1_000:0100}", department_ids=("d1",))
        moves = moved(view, model, one)
        with patch.object(SetCounts, "of", side_effect=AssertionError):
            offered = offered.revised(view, {}, moves)
        for caller in (None, *(frozenset({each}) for each in departments)):
            assert offered.first("names", caller) == model.first("names", caller)


def test_a_bound_is_no_longer_than_it_need_be() -> None:
    # Given a group with more long texts than are kept,
    view = TextsView(GROUP)
    for number in range(60):
        view.upsert(bare(number, 1, f"a{number:02}" + "x" * 1_000))
    with limits(10, 100_000):
        # when they are counted, then the bound is one right behind the last that is kept.
        completeness = MostUsed.of(view, {}).completeness
    assert completeness is not None
    bounds = completeness.bounds["names"]
    assert bounds is not None
    assert bounds[""] == (-1, "a1\U0010ffff")


def test_few_changes_are_stored_beside_the_base_as_it_was() -> None:
    # Given the view of a group, as it was stored,
    view = TextsView(GROUP)
    for number in range(250):
        view.upsert(bare(number, 1, f"Ada {number}"))
    stored = view.encode()
    view = TextsView.decode(stored, is_carried_on=True)
    # when a hundredth of it is written,
    for number in (3, 250):
        view.upsert(bare(number, 2, "Bea"))
    late = view.encode()
    # then the columns are stored again byte for byte, and the changes are there;
    assert sections_of(late)[1:] == sections_of(stored)[1:]
    assert version_of(late) == text_usage.LATE_VERSION
    read = TextsView.decode(late)
    assert read.search("names", "bea", None) == [Use("Bea", 2)]
    assert [use.entry for use in read.search("names", "ada 3", None)] == [f"Ada 3{digit}" for digit in range(10)]
    # when more is written, then there are new columns, as the release before reads them.
    for number in (4, 5, 6):
        view.upsert(bare(number, 2, "Cy"))
    assert version_of(view.encode()) == text_usage.FORMAT_VERSION


@pytest.mark.parametrize("beside", ["a new persona", "a deletion"])
def test_a_view_with_anything_beside_its_base_is_of_a_format_of_its_own(beside: str) -> None:
    # Given the view of a group, as it was stored,
    view = TextsView(GROUP)
    for number in range(250):
        view.upsert(bare(number, 1, f"Ada {number}"))
    view = TextsView.decode(view.encode(), is_carried_on=True)
    # when there is one persona more, or one less,
    if beside == "a new persona":
        view.upsert(bare(250, 1, "Bea"))
    else:
        view.delete(str(UUID(int=3)), 2, NOW)
    # then the release before, which would not see it, does not read the view.
    assert version_of(view.encode()) == text_usage.LATE_VERSION


def test_a_view_by_the_release_before_is_put_in_order() -> None:
    # Given the view of a group whose personas lie in another order,
    view = TextsView(GROUP)
    for number in (5, 1, 4, 2, 3):
        view.upsert(bare(number, number, f"Ada {number}", department_ids=("d1",)))
    remembered, ids, seqs, *packed = sections_of(view.encode())
    order = [(doc, doc + 1) for doc in (4, 0, 3, 1, 2)]
    columns = [text_columns.Column.unpack(some, 5).merged((), (), order)[0] for some in batched(packed, 3, strict=True)]
    told = json.loads(inflate(remembered))
    del told["in_order"]
    theirs = seal(
        text_usage._MAGIC,
        text_usage.FORMAT_VERSION,
        [
            deflate(json.dumps(told).encode()),
            b"".join(bytes(ids)[16 * start : 16 * stop] for start, stop in order),
            pack_numbers(gathered(unpack_numbers("Q", seqs), order)),
            *chain.from_iterable(column.pack() for column in columns),
        ],
    )
    # when it is read, then every persona is found under its id.
    read = TextsView.decode(theirs, is_carried_on=True)
    assert [read.seq_of(str(UUID(int=number))) for number in range(1, 6)] == [1, 2, 3, 4, 5]
    for number in range(1, 6):
        move = read.upsert(bare(number, 9, "Bea"))
        assert move is not None
        assert move[0] is not None
        assert move[0][0] == (f"Ada {number}",)


def sections_of(data: bytes) -> list[memoryview]:
    """Return the sections of a view's bytes."""
    with unseal(text_usage._MAGIC, (text_usage.FORMAT_VERSION, text_usage.LATE_VERSION), data) as sections:
        return sections


def version_of(data: bytes) -> int:
    """Return the version of the format of a view's bytes."""
    return int.from_bytes(data[12:14], "little")


def test_a_text_out_of_use_stays_known_for_thirty_days() -> None:
    view = TextsView(GROUP)
    view.upsert(bare(1, 1, "Ada"))
    view.upsert(bare(1, 2, "Bea"))
    view.settle(NOW)
    ada = fingerprint("names", "Ada")
    assert ada not in view.used_texts()  # it was never in a base that anybody read
    view = TextsView.decode(view.encode())
    view.upsert(bare(1, 3, "Cy"))
    bea = fingerprint("names", "Bea")
    assert bea in view.used_texts()
    view.settle(NOW)
    view = TextsView.decode(view.encode())
    view.settle(NOW + DAYS - 1)
    assert bea in view.used_texts()
    view.settle(NOW + DAYS)
    assert bea not in view.used_texts()


def test_a_view_made_anew_remembers_what_the_older_one_knew() -> None:
    older, anew = TextsView(GROUP), TextsView(GROUP)
    older.upsert(bare(1, 1, "Ada"))
    anew.upsert(bare(1, 2, "Bea"))
    anew.inherit(older, NOW)
    anew.settle(NOW + 1)
    ada = fingerprint("names", "Ada")
    assert ada in anew.used_texts()
    anew.settle(NOW + DAYS)
    assert ada not in anew.used_texts()


def test_a_tombstone_is_remembered_until_it_expires() -> None:
    view = TextsView(GROUP)
    view.upsert(bare(1, 5, "Ada"))
    view = TextsView.decode(view.encode())
    view.delete(str(UUID(int=1)), 6, NOW)
    view = TextsView.decode(view.encode())
    assert not view.upsert(bare(1, 6, "Ada"))
    view.settle(NOW - 1)
    assert view.seq_of(str(UUID(int=1))) == 6
    view.settle(NOW)
    assert view.seq_of(str(UUID(int=1))) == -1
    assert view.upsert(bare(1, 6, "Ada"))


@pytest.mark.parametrize("kind", [TextsView, MostUsed])
def test_damage_is_seen(kind: type[TextsView] | type[MostUsed]) -> None:
    view = TextsView(GROUP)
    for number in range(1, 50):
        view.upsert(bare(number, 1, f"Ada {number}", department_ids=("d1",)))
    data = view.encode() if kind is TextsView else MostUsed.of(view, {}).encode()
    for length in range(0, len(data), 7):
        with pytest.raises(SnapshotDamaged):
            kind.decode(data[:length])
    for position in range(len(data)):
        with pytest.raises(SnapshotDamaged):
            kind.decode(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
    module = text_usage if kind is TextsView else most_used
    with patch.object(module, "FORMAT_VERSION", module.FORMAT_VERSION + 1), pytest.raises(SnapshotVersionUnknown):
        kind.decode(data)


@pytest.mark.parametrize(("kind", "sections"), [(TextsView, text_columns.SECTIONS), (MostUsed, 4)])
def test_an_object_that_lacks_the_sections_of_a_kind_is_damaged(
    kind: type[TextsView] | type[MostUsed], sections: int
) -> None:
    view = TextsView(GROUP)
    view.upsert(bare(1, 1, "Ada"))
    data = view.encode() if kind is TextsView else MostUsed.of(view, {}).encode()
    module = text_usage if kind is TextsView else most_used
    with unseal(module._MAGIC, (module.FORMAT_VERSION,), data) as whole:
        cut = seal(module._MAGIC, module.FORMAT_VERSION, whole[:-sections])
    with pytest.raises(SnapshotDamaged):
        kind.decode(cut)


def test_what_is_kept_of_a_large_group_is_exact_for_any_caller() -> None:
    chance = random.Random(1)
    view, model = TextsView(GROUP), Model()
    departments = [f"d{number}" for number in range(8)]
    for number in range(1, 1501):
        name = f"{int(chance.paretovariate(0.6)) % 700:03}" + "x" * chance.randint(0, 1)
        one = bare(number, 1, name, department_ids=tuple(chance.sample(departments, chance.randint(0, 2))))
        view.upsert(one)
        model.take(one.id, 1, one)
    some = [frozenset(chance.sample(departments, size)) for size in (1, 2, 3, 4, 8) for _ in range(20)]
    with limits(10, 100_000):
        offered = MostUsed.of(view, {})
        assert len(offered._kept["names"].entries) < len(view.uses("names").entries) / 2
        for caller in [None, frozenset[str](), *some]:
            assert offered.first("names", caller) == model.first("names", caller)


def test_what_is_kept_of_a_department_ranks_by_the_personas_without_one_too() -> None:
    # Given names that few of a department use, but many without departments, and others that are used in it alone
    view = TextsView(GROUP)
    uses = [*((f"Ada {number:02}", each) for number in range(20) for each in ("", "", "", "d1"))]
    uses += [("Cleo", "d2"), *((f"Bea {number:02}", "d1") for number in range(20) for _ in range(2))]
    for number, (name, department) in enumerate(uses):
        view.upsert(bare(number, 1, name, department_ids=(department,) if department else ()))
    # When of the ten that each class is offered twice as many are kept
    with limits(10, 100_000):
        offered = MostUsed.of(view, {})
    # Then the others are not among them
    assert offered._kept["names"].entries == [f"Ada {number:02}" for number in range(20)]


@pytest.mark.parametrize("few", [100, 1_000])
def test_what_is_kept_is_bounded_and_begins_with_what_ranks_highest(few: int) -> None:
    view, model = TextsView(GROUP), Model()
    departments = [f"d{number}" for number in range(8)]
    for number in range(1, 1501):
        one = bare(number, 1, f"{number % 333:0100}", department_ids=(departments[number % 333 % 8],))
        view.upsert(one)
        model.take(one.id, 1, one)
    with patch.multiple(most_used, KIND_BYTES=8_000, FEW_ENTRIES=few):
        offered = MostUsed.of(view, {})
    assert len(offered._kept["names"].entries) == 72
    for caller in (frozenset({each}) for each in departments):
        assert offered.first("names", caller) == model.first("names", caller)[:9]


def test_the_life_of_a_retired_text_is_the_directorys() -> None:
    assert timedelta(days=30) == KEPT
